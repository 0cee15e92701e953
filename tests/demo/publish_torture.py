#!/usr/bin/env python3
"""gapless-userbot publish is killed with SIGKILL again and again, its folder changes between its
lives, and in the end each note must be there once and as it is in the folder.

Usage: publish_torture.py BUILD_DIR [--notes N] [--lives N] [--seed S] [--keep DIR]
       publish_torture.py BUILD_DIR --campaign N [--seed S] [--shard I/N] [--progress FILE]
       publish_torture.py --rejudge DIR

A gapless-dc keeps running that drops answers, forgets sessions between a call and its answer,
answers late and refuses by chance. The notes are spread over chats of every kind, link to each other
and show each other's titles; some are so long that they become several messages. Between two lives
they are changed, grow, shrink, are renamed with their key and without one, removed, put back, and
broken; every other life is told to --delete what is gone. They die at random moments (of a seeded
choice), when so much has been sent, and at the named points of a build with failpoints. Then one run
is left alone, and a further one must have nothing to do. The ledger is judged by publish_verdict.py;
then the record is doctored and must be condemned (publish_cases.py).

A campaign is N lives in worlds of UNIT lives each; shards share them out, and --progress remembers
those that are done. Ends with "N passed, N failed".
"""
import collections
import copy
import json
import os
import posixpath
import shutil
import signal
import subprocess
import sys

import campaign
import publish_cases
from campaign import SANITISED, now_us, until
from publish_verdict import Life, Part

SLOWER = 2 if SANITISED else 1
NOTES, LIVES = (40, 9) if SANITISED else (60, 12)
UNIT, UNIT_NOTES = 60, 120
PATIENCE_S = 60 * SLOWER
ANSWER_S, TRIES = 5 * SLOWER, 20  # what was not answered by then, never will be: killed once more
LIMIT = 4096  # UTF-16 units of a message
CALLS = "messages.sendMessage+messages.editMessage+messages.deleteMessages+channels.deleteMessages"
DC_ARGS = ("--events", "0", "--channels", "6", "--drop-answer", "0.01:" + CALLS, "--lose-session",
           "0.03:" + CALLS, "--answer-ms", "25", "--refuse", CALLS + ":0.01:500:RPC_CALL_FAIL",
           "--flood-rule", "messages.sendMessage:channel:1:15/5:1")
OPTIONS = ("--json", "--chat", "@channel1", "--debounce", "50", "--account-rate", "200/1:20",
           "--group-rate", "60/1:10", "--chat-rate", "60/1:10")
BOT = {"GAPLESS_API_ID": "1", "GAPLESS_API_HASH": "any", "GAPLESS_BOT_TOKEN": "1000:abc"}
# Front matter (none: --chat), chat, what addresses of its messages begin with.
CHATS = ((None, "channel:4200000001", "https://t.me/channel1"),
         ("'@channel2'", "channel:4200000002", "https://t.me/channel2"),
         ("'-1004200000004'", "channel:4200000004", "https://t.me/c/4200000004"),
         ("https://t.me/channel5", "channel:4200000005", "https://t.me/channel5"),
         ("'-800000001'", "chat:800000001", ""))
GRIN = "\U0001F600"

tally = campaign.Tally("publish")
check = tally.check


# --- the folder -------------------------------------------------------------------------------

def units(text):
    return len(text.encode("utf-16-le")) // 2


class Note:
    """One note, and what it says: paragraphs of [number, version, units, [(kind, note number)]]."""

    def __init__(self, number, rng):
        self.number, self.life = number, 1  # renamed without a key it is another note
        self.chat = rng.choice(CHATS + CHATS[:1])
        self.folder = rng.choice(("", "", "sub/", "sub/deep/"))
        self.key = f"key-{number}" if rng.random() < 0.4 else None
        self.moves = 0
        self.heading = 1 if rng.random() < 0.8 else 0
        self.is_in, self.broken = True, ""
        self.is_long = rng.random() < 0.2
        self.paragraphs = []
        for _ in range(rng.randint(4, 9) if self.is_long else rng.randint(1, 3)):
            self.grow(rng)

    def grow(self, rng):
        size = rng.randint(700, 1400) if self.is_long else rng.randint(10, 200)
        last = self.paragraphs[-1][0] if self.paragraphs else 0
        self.paragraphs.append([last + 1, 1, size, []])

    def path(self):
        return f"{self.folder}n{self.number:03d}-{self.life}-{self.moves}.md"

    def post_key(self):
        return self.key or self.path()[:-3]

    def title(self):
        return f"Title {self.number} v{self.heading}" if self.heading else self.post_key()


class Folder:
    """All notes; each of its states is complete: links lead to notes that are there."""

    def __init__(self, rng, count):
        self.rng, self.count = rng, count
        self.notes = [Note(i, rng) for i in range(count)]
        for _ in range(2 * count):
            self.link(rng.choice(self.notes))
        self.said = {}  # text -> key: no two parts ever say the same

    # --- changes ---

    def link(self, note):
        tokens = self.rng.choice(note.paragraphs)[3]
        if len(tokens) < 4:
            tokens.append((self.rng.choice(("link", "link", "title", "bold")),
                           self.rng.randrange(len(self.notes))))

    def change(self, note):
        rng = self.rng
        what = rng.choice(("text", "text", "text", "heading", "link", "grow", "shrink", "rename",
                           "remove", "put back", "break", "mend", "new"))
        paragraph = rng.choice(note.paragraphs)
        if what == "text":
            paragraph[1] += 1
        elif what == "heading" and note.heading:
            note.heading += 1
        elif what == "link":
            self.link(note)
        elif what == "grow" and len(note.paragraphs) < 12:
            for _ in range(rng.randint(1, 3)):
                note.grow(rng)
        elif what == "shrink" and len(note.paragraphs) > 3:
            del note.paragraphs[-rng.randint(1, len(note.paragraphs) - 1):]
            note.paragraphs[-1][1] += 1
        elif what == "rename" and not (note.key and note.broken):
            note.moves += 1
            note.life += note.key is None
        elif what == "remove" and sum(n.is_in for n in self.notes) > self.count * 3 // 4:
            note.is_in = False
        elif what == "put back":
            note.is_in = True
        elif what == "break" and not (note.key and note.moves):  # by its path alone it is known
            note.broken = rng.choice(("front matter", "UTF-8"))
        elif what == "mend":
            note.broken = ""
        elif what == "new" and len(self.notes) < self.count * 4 // 3:
            self.notes.append(Note(len(self.notes), rng))
            self.link(self.notes[-1])
        else:
            return 0
        return 1

    def step(self, changes):
        """Change something. @return (parts, broken, files) of the new state."""
        while True:
            before = copy.deepcopy(self.notes)
            left = changes
            while left > 0:
                left -= self.change(self.rng.choice(self.notes))
            if self.is_fresh():
                return self.state()
            self.notes = before

    def mend(self):
        for note in self.notes:
            note.broken = ""

    def is_fresh(self):
        """Remember whose texts these are; @return false if one is of two parts."""
        said = dict(self.said)
        for key, part in self.state()[0].items():
            if said.setdefault(part.text, key) != key:
                return False
        self.said = said
        return True

    # --- what it says ---

    def token(self, note, kind, number):
        """(source, text, mark, note it leads to) of a piece of a paragraph."""
        target = self.notes[number]
        if kind == "bold":
            return f"**bold {number}**", f"bold {number}", "Bold", None
        if not target.is_in:
            return f"none {number}", f"none {number}", None, None
        path = posixpath.relpath(target.path(), posixpath.dirname(note.path()) or ".")
        if kind == "title" and not target.broken:
            return f"[]({path})", target.title(), "TextUrl", target
        return f"[to {number}]({path})", f"to {number}", "TextUrl", target

    def paragraph(self, note, number, version, size, tokens):
        """(source, text, marks)."""
        source = text = f"n{note.number}.{note.life} p{number} v{version} {GRIN}"
        marks = []
        for kind, target in tokens:
            s, t, mark, leads_to = self.token(note, kind, target)
            if mark:
                marks.append((mark, units(text) + 1, units(t),
                              leads_to.post_key() if leads_to else None))
            source, text = f"{source} {s}", f"{text} {t}"
        filler = max(0, size - units(text) - 2)
        words = " " + ("w" * 9 + " ") * (filler // 10) + "x" * (filler % 10) + "."
        return source + words, text + words, marks

    def render(self, note):
        """(bytes of the file, parts)."""
        source, parts = "", []
        if note.chat[0] or note.key:
            source += "---\n" + (f"chat: {note.chat[0]}\n" if note.chat[0] else "")
            source += (f"key: {note.key}\n" if note.key else "") + "---\n"
        pieces = [self.paragraph(note, *p) for p in note.paragraphs]
        if note.heading:
            mark = ("Bold", 0, units(note.title()), None)
            pieces.insert(0, (f"# {note.title()}", note.title(), [mark]))
        text, marks = "", []
        for _, more, more_marks in pieces:
            if text and units(text) + 2 + units(more) > LIMIT:
                parts.append((text, marks))
                text, marks = "", []
            text += "\n\n" if text else ""
            marks = marks + [(m, units(text) + at, n, to) for m, at, n, to in more_marks]
            text += more
        parts.append((text, marks))
        source += "\n\n".join(s for s, _, _ in pieces) + "\n"
        if note.broken == "front matter":
            source = "---\nno colon\n---\n" + source
        return source.encode() + (b"\xff" if note.broken == "UTF-8" else b""), parts

    def state(self):
        """(parts by key, keys of broken notes, files by path)."""
        parts, broken, files = {}, set(), {}
        for note in self.notes:
            if not note.is_in:
                continue
            files[note.path()], pieces = self.render(note)
            if note.broken:
                broken.add(note.post_key())
                continue
            for i, (text, marks) in enumerate(pieces, 1):
                key = note.post_key() + (f"#{i}" if i > 1 else "")
                parts[key] = Part(note.post_key(), i, note.path(), *note.chat[1:], text, marks)
        return parts, broken, files


# --- one world --------------------------------------------------------------------------------

class World(campaign.World):
    """One folder, many short lives."""

    doctors = publish_cases.DOCTORS

    def __init__(self, build, seed, notes, count, title, folder):
        super().__init__(tally, "publish", title, seed, folder)
        self.count = count
        self.notes = os.path.join(folder, "notes")
        self.content = Folder(self.rng, notes)
        self.lives = []
        self.deaths = collections.Counter()
        self.quiet_us = 0
        self.userbot = os.path.join(build, "gapless-userbot")
        points = campaign.sending_points(self.userbot)
        self.points = campaign.in_turn(points, self.rng) if points else None
        self.dc = campaign.Dc(build, folder, ["--seed", str(seed)] + list(DC_ARGS))

    # --- lives ---

    def write(self, changes):
        """The folder of the next life."""
        parts, broken, files = self.content.step(changes)
        shutil.rmtree(self.notes, ignore_errors=True)
        for path, text in files.items():
            path = os.path.join(self.notes, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(text)
        return parts, broken

    def start(self, changes, delete, point="", count=1):
        life = Life(now_us(), *self.write(changes), delete)
        self.lives.append(life)
        with open(os.path.join(self.folder, "out"), "wb") as out, \
                open(os.path.join(self.folder, "err"), "wb") as err:
            return subprocess.Popen(
                [self.userbot, "publish", self.notes, "--server", f"127.0.0.1:{self.dc.port}",
                 "--server-key", self.dc.key, "--state", self.state, "--timeout",
                 str(PATIENCE_S), *OPTIONS, *(["--delete"] if delete else [])],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env=dict(campaign.environment(point, count), **BOT))

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as f:
            return f.read()

    def bury(self, process, wanted):
        life = self.lives[-1]
        life.status = process.wait(2 * PATIENCE_S)
        self.deaths[life.status] += 1
        err = self.read("err")
        out = self.read("out")
        # What is broken is told by the status, when all the others are in step.
        if life.broken and (3 in wanted or '"waiting":0' in out):
            wanted += (1,)
        if life.status not in wanted or campaign.CRASH.search(err):
            self.complaints.append(f"life {len(self.lives)} ended with {life.status}: "
                                   f"{out[-300:]}{err[-1000:]}")

    def live_and_die(self):
        rng = self.rng
        changes = 0 if len(self.lives) < 3 else rng.choice((0, 1, 3, 8))
        delete = rng.random() < 0.5
        wanted = (0, -signal.SIGKILL)
        if self.points is not None and rng.random() < 0.6:
            point = next(self.points)
            process = self.start(changes, delete, point, rng.choice((1, 2, 5, 15, 40)))
            until(process, 3 * SLOWER)
            self.tried.append(point)
            if process.poll() == -signal.SIGKILL:
                self.hit.append(point)
        elif rng.random() < 0.7:
            size, more = self.dc.size(), rng.randint(1000, 25000)
            process = self.start(changes, delete)
            until(process, 3 * SLOWER, lambda: self.dc.size() > size + more)
        else:
            process = self.start(changes, delete)
            until(process, rng.choice((rng.uniform(0.01, 0.1), rng.uniform(0.1, 0.6))) * SLOWER)
        if rng.random() < 0.1:
            process.send_signal(signal.SIGTERM)
            until(process, rng.uniform(0, 0.3) * SLOWER)
            wanted += (3, -signal.SIGTERM)
        process.kill()
        self.bury(process, wanted)

    def run(self):
        for _ in range(self.count):
            self.live_and_die()
        self.content.mend()
        delete = self.rng.random() < 0.5
        for _ in range(TRIES):
            process = self.start(0, delete)
            until(process, ANSWER_S)
            process.kill()
            self.bury(process, (0, -signal.SIGKILL))
            if self.lives[-1].status == 0:
                break
        self.quiet_us = now_us()
        self.bury(self.start(0, False), (0,))
        self.further = self.lives.pop()
        self.told = self.read("out")

    # --- verdict ---

    def record(self):
        return publish_cases.Record(self.dc.lines(), self.lives, self.quiet_us)

    def check_more(self, _record, judged):
        told = json.loads(self.told) if self.told else {}
        parts = len(self.lives[-1].parts)
        check(told.get("unchanged") == parts and told.get("edits") == 0,
              f"{self.title}: a further run of {parts} messages said {told}")
        early = sum(1 for events in judged.made.values() for e in events
                    if e["t_us"] < self.lives[-1].began_us)
        check(self.deaths[-signal.SIGKILL] >= self.count / 3 and early > parts / 3 and
              judged.edits > 0,
              f"{self.title}: {self.deaths}, {early} of {parts} messages before the last life, "
              f"{judged.edits} edits: too little to mean anything")

    def summary(self, judged):
        answers = collections.Counter(c.get("answer") for c in judged.calls)
        return (f"{len(self.lives)} lives ({self.deaths[-signal.SIGKILL]} killed, "
                f"{len(self.hit)} of {len(self.tried)} points reached), {len(judged.made)} "
                f"messages sent, {judged.edits} edits, {judged.deleted} deleted, "
                f"{len(judged.calls)} calls, {answers['dropped']} answers dropped, "
                f"{answers['session_lost']} sessions lost")


def run_world(args, seed, notes, lives):
    title = f"{notes} notes, seed {seed}"
    return campaign.run_world(tally, title, lambda folder: World(args.build, seed, notes, lives,
                                                                 title, folder), args.keep)


def run_test(args):
    run_world(args, args.seed, args.notes, args.lives)


def run_campaign(args):
    campaign.run_units(args, ("gapless-userbot", "gapless-dc"), UNIT, lambda number, lives:
                       run_world(args, args.seed + number, UNIT_NOTES, lives))


def main():
    parser = campaign.options(__doc__, "folder", f"lives in worlds of {UNIT}")
    parser.add_argument("--notes", type=int, default=NOTES)
    parser.add_argument("--lives", type=int, default=LIVES)
    return campaign.main(parser, tally, publish_cases.test_verdict, run_test, run_campaign)


if __name__ == "__main__":
    sys.exit(main())
