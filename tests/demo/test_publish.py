#!/usr/bin/env python3
"""gapless-userbot publish and outbox as a user meets them: folders of notes that are published,
changed, broken and killed, judged by the ledger of a gapless-dc; and rows that are looked at, put
there and put right meanwhile.

Usage: test_publish.py BUILD_DIR [no-sqlite] [CASE...]. Ends with "N passed, N failed".
"""
import concurrent.futures
import contextlib
import fcntl
import json
import os
import pty
import random
import re
import select
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

from campaign import SANITISED, Tally

BUILD = os.path.abspath(sys.argv[1])
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HAS_SQLITE = "no-sqlite" not in sys.argv[2:]
WANTED = [a for a in sys.argv[2:] if a != "no-sqlite"]
USERBOT = os.path.join(BUILD, "gapless-userbot")
DC = os.path.join(BUILD, "gapless-dc")
PATIENCE_S = 120 if SANITISED else 60
FAST = ["--account-rate", "1000/1:1000", "--group-rate", "1000/1:1000", "--chat-rate",
        "1000/1:1000", "--debounce", "50"]
BOT = {"GAPLESS_API_ID": "1", "GAPLESS_API_HASH": "any", "GAPLESS_BOT_TOKEN": "1000:abc"}
GRIN = "\U0001F600"

SIDE_BY_SIDE = 4  # cases: they wait more than they compute

tally = Tally("publish")


def check(ok, what):
    return tally.check(ok, f"{threading.current_thread().name}: {what}")


def equal(got, wanted, what):
    return check(got == wanted, f"{what}: {got!r}, not {wanted!r}")


class Done:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __str__(self):
        return f"status {self.status}: {self.out!r} {self.err!r}"

    def json(self):
        """The objects on standard output."""
        return [json.loads(line) for line in self.out.splitlines()]

    def summary(self):
        found = [o for o in self.json() if o.get("event") == "published"]
        return found[-1] if found else {}


def environment(variables):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GAPLESS_")}
    return dict(clean, **variables)


def userbot(args, cwd=None, variables=BOT):
    done = subprocess.run([USERBOT] + args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=PATIENCE_S * 2, check=False, cwd=cwd,
                          env=environment(variables))
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


class World:
    """A gapless-dc, a folder of notes and a state file."""

    def __init__(self, *args, script=None):
        self.stack = contextlib.ExitStack()
        self.dir = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="gapless-publish-"))
        self.notes = os.path.join(self.dir, "notes")
        self.state = os.path.join(self.dir, "state.db")
        self.key = os.path.join(self.dir, "key.pem")
        self.ledger = os.path.join(self.dir, "ledger")
        os.mkdir(self.notes)
        more = ["--events", "0", "--channels", "4"] + list(args)
        if script is not None:
            path = os.path.join(self.dir, "script")
            with open(path, "w", encoding="utf-8") as file:
                file.write(script)
            more += ["--script", path]
        self.process = subprocess.Popen(
            [DC, "--pubkey-out", self.key, "--ledger", self.ledger] + more,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.port = json.loads(self.process.stdout.readline())["port"]
        self.read = 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        self.stack.close()

    def write(self, path, text):
        path = os.path.join(self.notes, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())

    def server(self):
        return ["--server", f"127.0.0.1:{self.port}", "--server-key", self.key, "--state",
                self.state]

    def args(self, *more):
        return (["publish", self.notes] + self.server() +
                ["--json", "--chat", "@channel1", "--timeout", str(PATIENCE_S)] + FAST +
                list(more))

    def publish(self, *more):
        return userbot(self.args(*more))

    def start(self, *more):
        return subprocess.Popen([USERBOT] + self.args(*more), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env=environment(BOT), universal_newlines=True)

    def outbox(self, *words):
        return userbot(["outbox", "--state", self.state, "--json"] + list(words))

    def lines(self):
        with open(self.ledger, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def events(self):
        """What calls have made: new messages, edits, deletions."""
        return [e for e in self.lines() if e.get("via") == "call"]

    def fresh(self):
        """The same, since this was asked last."""
        events = self.events()
        new = events[self.read:]
        self.read = len(events)
        return new

    def messages(self, channel=1):
        """What a channel holds now: texts by id."""
        there = {}
        for e in self.events():
            if e["chat"] != f"channel:{4200000000 + channel}":
                continue
            if e["kind"] in ("new_message", "edit_message"):
                there[e["id"]] = e
            elif e["kind"] == "delete_messages":
                for number in e.get("ids", [e.get("id")]):
                    there.pop(number, None)
        return there

    def texts(self, channel=1):
        there = self.messages(channel)
        return [there[i]["text"] for i in sorted(there)]


def kinds(events):
    """How many of which."""
    words = {"new_message": "new", "edit_message": "edit", "delete_messages": "delete"}
    counts = {}
    for e in events:
        word = words.get(e["kind"], e["kind"])
        counts[word] = counts.get(word, 0) + 1
    return counts


def numbers(done):
    """published, edited, unchanged, parked, failed."""
    s = done.summary()
    return tuple(s.get(n) for n in ("published", "edited", "unchanged", "parked", "failed"))


def ran(done, status, wanted, what):
    """How a run ended, and what it says it did."""
    return check(done.status == status and (wanted is None or numbers(done) == wanted),
                 f"{what}: wanted status {status} and {wanted}: {done}")


# --- cases --------------------------------------------------------------------------------------

def case_usage():
    with tempfile.TemporaryDirectory() as folder:
        state = os.path.join(folder, "s.db")
        wrong = [
            (["publish"], "one folder"),
            (["publish", "a", "b"], "one folder"),
            (["publish", folder, "--long", "cut"], "split or refuse"),
            (["publish", folder, "--state", state], "embedded"),
            (["publish", folder, "--telegram"], "--state FILE.db"),
            (["publish", folder, "--group-rate", "20"], "CALLS/SECONDS"),
            (["publish", folder, "--group-rate", "20/0"], "CALLS/SECONDS"),
            (["publish", folder, "--group-rate", "20/60:0"], "CALLS/SECONDS"),
            (["publish", folder, "--group-rate", "20/60:3x"], "CALLS/SECONDS"),
            (["publish", folder, "--count"], "--count"),
            (["publish", folder, "--expect", "3"], "--expect"),
            (["publish", folder, "--limit", "3"], "--limit"),
            (["--strict"], "--strict is for"),
            (["--debounce", "5"], "--debounce is for"),
            (["--outbox"], "--outbox needs --state"),
            (["outbox"], "--state FILE.db"),
            (["outbox", "--state", state, "--telegram"], "connects to nobody"),
            (["outbox", "--state", state, "eat"], "eat"),
            (["outbox", "--state", state, "show"], "show ROW"),
            (["outbox", "--state", state, "add", "me"], "add CHAT TEXT"),
            (["outbox", "--state", state, "--state-of", "late"], "--state-of"),
        ]
        for args, word in wrong:
            done = userbot(args)
            check(done.status == 2 and word in done.err and done.err.count("\n") == 1,
                  f"{args}: {done}")
        done = userbot(["outbox", "--state", state])
        check(done.status == 1 and "there is no" in done.err and not os.path.exists(state),
              f"outbox of no file: {done}")
        for args in (["publish", folder], ["publish", os.path.join(folder, "none")]):
            done = userbot(args)
            check(done.status == 1 and "notes" in done.err, f"{args}: {done}")
        done = userbot(["--help"])
        for word in ("publish DIR", "outbox --state", "--group-rate", "--delete", "--outbox"):
            check(word in done.out, f"--help says nothing about {word}")


def case_embedded():
    with tempfile.TemporaryDirectory() as folder:
        notes = os.path.join(folder, "notes")
        os.mkdir(notes)
        for name, text in (("a", "# A\n\n[](b.md)"), ("b", "# B\n\n[a](a.md)")):
            with open(os.path.join(notes, name + ".md"), "w", encoding="utf-8") as file:
                file.write(text)
        for _ in range(2):  # another world each time
            done = userbot(["publish", notes, "--debounce", "50"], cwd=folder,
                           variables=dict(TMPDIR=folder))
            check(done.status == 0 and done.err == "" and done.out ==
                  "published 2, edited 0, unchanged 0, parked 0, failed 0\n", f"embedded: {done}")
            equal(os.listdir(folder), ["notes"], "embedded leaves files")


def case_in_step():
    """Each once, links to messages, sub-folders, nothing twice, and exactly the right edits."""
    with World() as w:
        w.write("index.md", "# Index\n\n- [](sub/one.md)\n- [two](sub/two.md)\n")
        w.write("sub/one.md", "# One\n\nback to [the index](../index.md), on to [](two.md)\n")
        w.write("sub/two.md", "---\nkey: zwei\nother: x\n---\nNo *heading*.\n")
        w.write("sub/three.md", "# Three\n\nalone\n")
        w.write(".hidden/four.md", "# Four")
        w.write("five.txt", "# Five")
        done = w.publish()
        ran(done, 0, (4, 0, 0, 0, 0), "the first run")
        new = w.fresh()
        equal(kinds(new).get("new"), 4, "sent")
        messages = w.messages()
        texts = w.texts()
        equal(texts, ["Index\n\n\u2022 One\n\u2022 two", "One\n\nback to the index, on to zwei",
                      "Three\n\nalone", "No heading."], "texts in the order of paths")
        ids = sorted(messages)
        if len(ids) == 4:
            at = "https://t.me/channel1/"
            equal(messages[ids[0]].get("urls"), [f"{at}{ids[1]}", f"{at}{ids[3]}"], "the index")
            equal(messages[ids[1]].get("urls"), [f"{at}{ids[0]}", f"{at}{ids[3]}"], "one's links")
            equal(messages[ids[3]].get("marks"), "Italic 3+7", "marks of two")
        check(kinds(new).get("edit", 0) <= 3, f"edits of the first run: {kinds(new)}")

        ran(w.publish(), 0, (0, 0, 4, 0, 0), "the second run")
        equal(w.fresh(), [], "sent by the second run")

        w.write("sub/three.md", "# Three\n\nnot alone\n")
        ran(w.publish(), 0, (0, 1, 3, 0, 0), "one changed")
        new = w.fresh()
        equal([(e["kind"], e["text"]) for e in new], [("edit_message", "Three\n\nnot alone")],
              "one changed")

        w.write("sub/one.md", "# Uno\n\nback to [the index](../index.md), on to [](two.md)\n")
        ran(w.publish(), 0, (0, 2, 2, 0, 0), "a title changed")
        new = w.fresh()
        equal(sorted((e["kind"], e["text"]) for e in new),
              [("edit_message", "Index\n\n\u2022 Uno\n\u2022 two"),
               ("edit_message", "Uno\n\nback to the index, on to zwei")], "a title changed")
        ran(w.publish(), 0, (0, 0, 4, 0, 0), "after that")
        equal(w.fresh(), [], "after that")

        done = userbot([a for a in w.args() if a != "--json"])
        equal(done.out, "published 0, edited 0, unchanged 4, parked 0, failed 0\n", "the summary")


def case_cycle():
    """A links to B, B to A: two messages, one edit, and then nothing."""
    with World() as w:
        w.write("a.md", "A and [b](b.md) and [myself](a.md)")
        w.write("b.md", "B and [a](a.md)")
        done = w.publish()
        ran(done, 0, (2, 0, 0, 0, 0), "a cycle")
        new = w.fresh()
        equal(kinds(new).get("new"), 2, "messages of a cycle")
        check(1 <= kinds(new).get("edit", 0) <= 3, f"edits of a cycle: {kinds(new)}")
        messages = w.messages()
        ids = sorted(messages)
        if check(len(ids) == 2, f"messages of a cycle: {ids}"):
            at = "https://t.me/channel1/"
            equal(messages[ids[0]].get("urls"), [f"{at}{ids[1]}", f"{at}{ids[0]}"], "a's links")
            equal(messages[ids[1]].get("urls"), [f"{at}{ids[0]}"], "b's links")
        ran(w.publish(), 0, (0, 0, 2, 0, 0), "a cycle again")
        equal(w.fresh(), [], "a cycle again")


def paragraphs(count, word):
    return "\n\n".join(f"{word} {i} " + "x" * 1000 for i in range(count))


def case_long():
    """Long notes become several messages, in order; what is too many goes."""
    with World() as w:
        w.write("long.md", paragraphs(10, "p"))
        w.write("short.md", "about [the long one](long.md)")
        done = w.publish("--long", "refuse")
        ran(done, 1, (1, 0, 0, 0, 1), "refused")
        check("long.md" in done.err and "4096" in done.err, f"refused: {done}")
        ran(w.publish(), 0, (3, 1, 0, 0, 0), "split")
        equal("\n\n".join(w.texts()[1:]), paragraphs(10, "p"), "the parts")
        ids = sorted(w.messages())
        equal(w.messages()[ids[0]].get("urls"), [f"https://t.me/channel1/{ids[1]}"],
              "a link to a long note")
        w.write("long.md", paragraphs(3, "p"))
        done = w.publish()
        ran(done, 0, (0, 1, 1, 0, 0), "shrunk")
        equal(done.summary().get("deleted"), 2, "surplus parts")
        equal(w.texts()[1:], [paragraphs(3, "p")], "what is left of it")
        w.fresh()
        ran(w.publish(), 0, (0, 0, 2, 0, 0), "shrunk, again")
        equal(w.fresh(), [], "shrunk, again")
        w.write("long.md", paragraphs(5, "p"))
        ran(w.publish(), 0, (1, 1, 1, 0, 0), "grown")
        equal("\n\n".join(w.texts()[1:]), paragraphs(5, "p"), "the parts of a note that has grown")


def case_many_marks():
    """A message has a hundred entities at most: a note with more becomes several."""
    with World() as w:
        w.write("marks.md", " ".join(f"**b{i}**" for i in range(300)))
        done = w.publish("--long", "refuse")
        ran(done, 1, (0, 0, 0, 0, 1), "refused")
        check("marks.md: has 300 marks" in done.err, f"refused: {done}")
        ran(w.publish(), 0, (3, 0, 0, 0, 0), "split")
        equal(" ".join(w.texts()), " ".join(f"b{i}" for i in range(300)), "the parts")
        equal([m["entities"] for m in w.messages().values()], [100] * 3, "marks")


def case_part_keys():
    """A note whose key is that of a part of another one: neither takes the other's message."""
    with World() as w:
        w.write("a.md", paragraphs(5, "p"))
        ran(w.publish(), 0, (2, 0, 0, 0, 0), "two parts")
        w.fresh()
        w.write("a#2.md", "a note of its own")
        done = w.publish()
        ran(done, 1, (0, 0, 0, 0, 2), "the same key")
        for line in ("a.md: has a message with the key 'a#2', and so has a#2.md: ",
                     "a#2.md: has a message with the key 'a#2', and so has a.md: "):
            check(line in done.err, f"the same key: {done}")
        equal(w.fresh(), [], "the same key")
        w.write("a#2.md", "---\nkey: second\n---\na note of its own")
        ran(w.publish(), 0, (1, 0, 2, 0, 0), "another key")
        equal(w.texts()[2:], ["a note of its own"], "another key")


def case_hostile_name():
    """What is told about a file is one line, and can't change a terminal's colours."""
    with World() as w:
        w.write("a\n\x1b[31mb.md", "[x](no.md)")
        done = w.publish()
        ran(done, 1, (0, 0, 0, 0, 1), "a strange name")
        check("/a??[31mb.md:1: links to no.md" in done.err, f"a strange name: {done}")


def units(text):
    return len(text.encode("utf-16-le")) // 2


def case_unicode():
    """Offsets count in UTF-16 units, whatever stands before and inside."""
    words = [GRIN, "e\u0301", "\u00e9", "\u05d0\u05d1", "\U0001F469\u200d\U0001F52C", "\u4e2d\u6587",
             "plain", "\U0001F1E9\U0001F1EA", "z\u0335\u0321"]
    draw = random.Random(7)
    marks = [("**", "Bold"), ("~~", "Strike"), ("||", "Spoiler"), ("`", "Code")]
    with World() as w:
        expected = []
        for i in range(12):
            source, text, entities = "", "", []
            for _ in range(8):
                inner = " ".join(draw.choice(words) for _ in range(draw.randint(1, 3)))
                mark, name = draw.choice(marks)
                plain = draw.choice(words)
                source += f"{plain} {mark}{inner}{mark} "
                text += f"{plain} "
                entities.append(f"{name} {units(text)}+{units(inner)}")
                text += f"{inner} "
            w.write(f"n{i:02d}.md", source)
            expected.append((text.rstrip(" "), ", ".join(entities)))
        w.write("z.md", f"{GRIN}{GRIN} [{GRIN} link](https://example.org/) [](n00.md)\n\n"
                "```c\nint e\u0301;\n```")
        ran(w.publish(), 0, (13, 0, 0, 0, 0), "all kinds of characters")
        messages = w.messages()
        got = [(messages[i]["text"], messages[i].get("marks")) for i in sorted(messages)]
        equal(got[:12], expected, "marks")
        if len(got) == 13:
            equal(got[12], (f"{GRIN}{GRIN} {GRIN} link n00\n\nint e\u0301;",
                            "TextUrl 5+7, TextUrl 13+3, Pre 18+7"), "links and code")


def case_quotes():
    """Quotes go out as such, in each message of a long one, and changing one is an edit."""
    with World() as w:
        w.write("a.md", f"{GRIN}\n> {GRIN} *one*\n>> [](b.md)\nlazy\n\nnone")
        w.write("b.md", "> # Two\n> ```c\n> x > y;\n> ```")
        w.write("c.md", "so:\n> " + "word " * 1500 + "\n\nend")
        ran(w.publish(), 0, (4, 0, 0, 0, 0), "quotes")
        there = w.messages()
        got = [(there[i]["text"], there[i].get("marks")) for i in sorted(there)]
        if equal(len(got), 4, "messages"):
            equal(got[0], (f"{GRIN}\n{GRIN} one\nTwo\nlazy\n\nnone",
                           "Blockquote 3+15, Italic 6+3, TextUrl 10+3"), "a quote")
            equal(got[1], ("Two\nx > y;", "Blockquote 0+10, Bold 0+3, Pre 4+6"), "code in a quote")
            first, second = len(got[2][0]), len(got[3][0])
            equal([got[2][1], got[3][1]], [f"Blockquote 4+{first - 4}",
                                           f"Blockquote 0+{second - 5}"], "a long quote")
            equal(first + second, 4 + 7499 - 1 + 5, "all of it")
        ran(w.publish(), 0, (0, 0, 4, 0, 0), "again")
        w.write("b.md", "# Two\n```c\nx > y;\n```")
        w.fresh()
        ran(w.publish(), 0, (0, 1, 3, 0, 0), "no quote any more")
        equal([(e["kind"], e["text"], e["marks"]) for e in w.fresh()],
              [("edit_message", "Two\nx > y;", "Bold 0+3, Pre 4+6")], "no quote any more")


def case_broken():
    """What is broken is told with file and line; the others go on."""
    with World() as w:
        w.write("front.md", "---\nchat @x\n---\ntext")
        w.write("utf8.md", b"one\ntw\xff")
        w.write("link.md", "one\n\nto [nobody](none.md)")
        w.write("out.md", "[x](../../etc/passwd.md)")
        w.write("d1.md", "---\nkey: same\n---\none")
        w.write("sub/d2.md", "---\nchat: @channel1\nkey: same\n---\ntwo")
        w.write("empty.md", "---\nkey: e\n---\n\n")
        w.write("nochat.md", "---\nchat: @nobodyhere\n---\ntext")
        w.write("good.md", "# Good\n\nlinks to [](front.md)")
        told = ["front.md:2:", "utf8.md:2:", "link.md:3:", "out.md:1:", "d1.md:2:",
                "sub/d2.md:3:", "empty.md:", "nochat.md:"]
        done = w.publish("--strict")
        ran(done, 1, None, "strict")
        check("nothing was sent" in done.err, f"strict: {done}")
        for where in told[:-1]:
            check(f"notes/{where}" in done.err, f"strict: nothing about {where}: {done.err}")
        equal(w.fresh() if os.path.exists(w.ledger) else [], [], "sent by --strict")
        done = w.publish()
        ran(done, 1, (1, 0, 0, 0, 8), "broken ones")
        for where in told:
            check(done.err.count(f"notes/{where}") == 1, f"about {where}: {done.err}")
        equal(w.texts(), ["Good\n\nlinks to front"], "the good one")
        w.fresh()
        # A note that was whole keeps its message and its title while it is broken.
        w.write("front.md", "# Front\n\nmended")
        for name in ("utf8", "link", "out", "d1", "sub/d2", "empty", "nochat"):
            os.remove(os.path.join(w.notes, name + ".md"))
        ran(w.publish(), 0, (1, 1, 0, 0, 0), "mended")
        w.fresh()
        w.write("front.md", "---\nbroken again")
        ran(w.publish("--delete"), 1, (0, 0, 1, 0, 1), "broken again")
        equal(w.fresh(), [], "broken again")


def case_broken_key():
    """A note whose key can't be read any more is still the same note: with --delete its message
    stays, and links lead to it."""
    with World() as w:
        w.write("a.md", "---\nkey: m\n---\n# One\n\ntext")
        w.write("b.md", "to [it](a.md) and [](a.md)")
        ran(w.publish(), 0, (2, 0, 0, 0, 0), "with a key")
        whole = (w.texts(), [m.get("urls") for m in w.messages().values()])
        for text in ("---\nkey m\n---\n# One\n\ntext", b"---\nkey: m\n---\n\xff"):
            w.fresh()
            w.write("a.md", text)
            ran(w.publish("--delete"), 1, (0, 0, 1, 0, 1), "the key can't be read")
            equal(w.fresh(), [], "the key can't be read")
        os.rename(os.path.join(w.notes, "a.md"), os.path.join(w.notes, "c.md"))
        w.write("c.md", "---\nkey: m\n---\n# One\n\ntext")
        w.write("a.md", "---\nanother\n---\n")
        w.write("b.md", "to [it](c.md) and [](c.md)")
        ran(w.publish("--delete"), 1, (0, 0, 2, 0, 1), "it moved, and a broken one is in its place")
        os.remove(os.path.join(w.notes, "a.md"))
        ran(w.publish("--delete"), 0, (0, 0, 2, 0, 0), "mended")
        equal((w.texts(), [m.get("urls") for m in w.messages().values()]), whole, "mended")


def case_gone():
    """A note that is gone: its message stays, or is deleted. Another folder's is left alone."""
    with World() as w:
        w.write("a.md", "one")
        w.write("b.md", "two")
        w.write("moved.md", "---\nkey: m\n---\nthree")
        ran(w.publish(), 0, (3, 0, 0, 0, 0), "three")
        w.fresh()
        other = os.path.join(w.dir, "other")
        os.mkdir(other)
        with open(os.path.join(other, "a.md"), "w", encoding="utf-8") as file:
            file.write("not one")
        with open(os.path.join(other, "c.md"), "w", encoding="utf-8") as file:
            file.write("four")
        args = w.args("--delete")
        args[1] = other
        done = userbot(args)
        ran(done, 1, (1, 0, 0, 0, 1), "another folder")
        check("another" in done.err and "a.md" in done.err, f"another folder: {done}")
        equal(w.texts(), ["one", "two", "three", "four"], "after another folder")
        os.remove(os.path.join(w.notes, "b.md"))
        os.mkdir(os.path.join(w.notes, "sub"))
        os.rename(os.path.join(w.notes, "moved.md"), os.path.join(w.notes, "sub", "new.md"))
        w.fresh()
        done = w.publish()
        ran(done, 0, (0, 0, 2, 0, 0), "one is gone")
        check("b.md" in done.err and "--delete" in done.err, f"one is gone: {done}")
        equal(w.fresh(), [], "one is gone")
        done = w.publish("--delete")
        ran(done, 0, (0, 0, 2, 0, 0), "one is deleted")
        equal(done.summary().get("deleted"), 1, "deleted")
        equal(w.texts(), ["one", "three", "four"], "after --delete")
        for i in range(3):
            w.write(f"sub/x{i}.md", "to go")
        ran(w.publish(), 0, (3, 0, 2, 0, 0), "three more")
        for i in range(3):
            os.remove(os.path.join(w.notes, "sub", f"x{i}.md"))
        ran(w.publish("--delete", "--group-rate", "2/1:1"), 0, (0, 0, 2, 0, 0), "three deleted")
        equal(w.texts(), ["one", "three", "four"], "deleted within the limits")
        w.fresh()
        done = w.publish()
        ran(done, 0, (0, 0, 2, 0, 0), "after it was deleted")
        check(done.err == "" and w.fresh() == [], f"after it was deleted: {done}")
        w.write("a.md", "---\nchat: '@channel2'\n---\none")
        done = w.publish()
        ran(done, 1, (0, 0, 1, 0, 1), "another chat")
        check("another chat" in done.err and w.fresh() == [], f"another chat: {done}")


def case_none_left():
    """A folder without notes may be the wrong one: --delete leaves their messages, and says so."""
    with World() as w:
        w.write("a.md", "one")
        w.write("b.md", "two")
        ran(w.publish(), 0, (2, 0, 0, 0, 0), "two")
        w.fresh()
        os.remove(os.path.join(w.notes, "a.md"))
        os.remove(os.path.join(w.notes, "b.md"))
        done = w.publish("--delete")
        check(done.status == 1 and "there are no notes" in done.err and
              "nothing was deleted" in done.err and "leave a note" in done.err and
              done.err.count("\n") == 1, f"none left: {done}")
        equal(w.fresh(), [], "none left")
        done = w.publish()
        check(done.status == 1 and "there are no notes" in done.err and
              "deleted" not in done.err, f"without --delete: {done}")
        w.write("c.md", "three")
        ran(w.publish("--delete"), 0, (1, 0, 0, 0, 0), "another note")
        equal(w.texts(), ["three"], "what was said")


def case_folder_not_read():
    """Notes of a folder that can't be looked into are not gone: --delete leaves their messages."""
    with World() as w:
        w.write("a.md", "one")
        w.write("sub/b.md", "two")
        ran(w.publish(), 0, (2, 0, 0, 0, 0), "two")
        w.fresh()
        deep = os.path.join(w.notes, *["d"] * 32)
        os.makedirs(deep)
        os.rename(os.path.join(w.notes, "sub"), os.path.join(deep, "sub"))
        done = w.publish("--delete")
        ran(done, 0, (0, 0, 1, 0, 0), "too deep")
        check("/sub: lies too deep" in done.err and "sub/b.md: is not found" in done.err,
              f"too deep: {done}")
        equal(w.fresh(), [], "too deep")
        os.rename(os.path.join(deep, "sub"), os.path.join(w.notes, "sub"))
        ran(w.publish("--delete"), 0, (0, 0, 2, 0, 0), "not so deep")
        if os.geteuid() == 0:
            return  # may read all
        os.chmod(os.path.join(w.notes, "sub"), 0)
        try:
            done = w.publish("--delete")
        finally:
            os.chmod(os.path.join(w.notes, "sub"), 0o700)
        ran(done, 1, (0, 0, 1, 0, 1), "no right")
        equal(w.fresh(), [], "no right")


def case_goes_on():
    """What a run has left over, the next one does, though its own notes are in step."""
    slow = ("--group-rate", "1/3600:1", "--timeout", "2")
    with World("--answer-ms", "200") as w:
        w.write("a.md", "note a")
        for i in range(5):
            w.write(f"b{i}.md", f"note b{i}")
        ran(w.publish(), 0, (6, 0, 0, 0, 0), "six")
        for i in range(5):
            os.remove(os.path.join(w.notes, f"b{i}.md"))
        done = w.publish("--delete", *slow)
        check(done.status == 3 and done.summary().get("deleted") == 5 and len(w.texts()) > 4,
              f"deletions that wait: {done}")
        ran(w.publish(), 0, (0, 0, 1, 0, 0), "after deletions that waited")
        equal(w.texts(), ["note a"], "after deletions that waited")
        for name in "cde":
            w.write(f"{name}.md", f"note {name}")
        ran(w.publish(*slow), 3, None, "notes that wait")
        for name in "cde":
            os.remove(os.path.join(w.notes, f"{name}.md"))
        ran(w.publish(), 0, (0, 0, 1, 0, 0), "notes that waited are gone")
        equal(w.texts(), ["note a", "note c", "note d", "note e"], "notes that waited are gone")
        w.fresh()
        ran(w.publish(), 0, (0, 0, 1, 0, 0), "after notes that waited are gone")
        equal(w.fresh(), [], "after notes that waited are gone")
        # It was sent, and nobody knows: only when that is known it can be deleted.
        w.write("f.md", "note f")
        run = w.start()
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and not w.fresh():
            time.sleep(0.01)
        run.kill()
        run.communicate()
        os.remove(os.path.join(w.notes, "f.md"))
        ran(w.publish("--delete"), 0, (0, 0, 1, 0, 0), "a deletion that has to wait")
        equal(w.texts(), ["note a"], "a deletion that has to wait")


def case_deleted_by_others():
    """A post whose message others have deleted is sent anew when its note changes."""
    script = "answer messages.editMessage error 400 MESSAGE_ID_INVALID\nawait getState 100000\n"
    with World(script=script) as w:
        w.write("a.md", "one")
        w.write("b.md", "to [a](a.md)")
        ran(w.publish(), 0, (2, 0, 0, 0, 0), "one")
        first = min(w.messages())
        w.write("a.md", "two")
        ran(w.publish(), 0, None, "sent anew")
        messages = w.messages()
        new = [i for i in messages if messages[i]["text"] == "two"]
        check(len(new) == 1 and new[0] > first, f"sent anew: {messages}")
        equal([m.get("urls") for m in messages.values() if m["text"] == "to a"],
              [[f"https://t.me/channel1/{i}"] for i in new], "the link to it")
        w.fresh()
        ran(w.publish(), 0, (0, 0, 2, 0, 0), "sent anew, again")
        equal(w.fresh(), [], "sent anew, again")


def case_chats():
    """A chat may be a name, a link or an id; addresses have its name if it was given."""
    with World() as w:
        w.write("a.md", "[b](b.md)")
        w.write("b.md", "---\nchat: '-1004200000002'\n---\nto [a](a.md)")
        w.write("c.md", "---\nchat: https://t.me/channel3\n---\nto [](c.md)")
        args = w.args()
        args[args.index("@channel1")] = "t.me/Channel1/7"
        ran(userbot(args), 0, (3, 0, 0, 0, 0), "three chats")
        (a,), (b,), (c,) = (w.messages(i).values() for i in (1, 2, 3))
        equal(a.get("urls"), [f"https://t.me/c/4200000002/{b['id']}"], "a link to an id's chat")
        equal(b.get("urls"), [f"https://t.me/Channel1/{a['id']}"], "a link to a name's chat")
        equal(c.get("urls"), [f"https://t.me/channel3/{c['id']}"], "a link to itself")
        args.remove("--chat")
        args.remove("t.me/Channel1/7")
        w.write("d.md", "nowhere")
        done = userbot(args)
        ran(done, 1, (0, 0, 2, 0, 2), "no chat")
        check("a.md: names no chat" in done.err and "d.md: names no chat" in done.err,
              f"no chat: {done}")


def case_person():
    """A person publishes as a bot does."""
    person = {"GAPLESS_API_ID": "1", "GAPLESS_API_HASH": "any", "GAPLESS_PHONE": "+9996621234",
              "GAPLESS_CODE": "22222"}
    with World() as w:
        w.write("a.md", "one")
        ran(userbot(w.args(), variables=person), 0, (1, 0, 0, 0, 0), "a person")
        w.write("a.md", "two")
        ran(userbot(w.args(), variables={}), 0, (0, 1, 0, 0, 0), "a person, from the session")
        equal(w.texts(), ["two"], "a person")


def case_killed():
    """SIGKILL at any moment, again and again: every note goes out once, in order."""
    draw = random.Random(3)
    with World("--answer-ms", "30", "--lose-session", "0.05:messages.sendMessage+messages.editMessage") as w:
        count = 60
        for i in range(count):
            w.write(f"n{i:03d}.md", f"# Note {i}\n\n[](n{(i + 1) % count:03d}.md)")
        killed = 0
        for _ in range(12):
            run = w.start("--group-rate", "20/1:5")
            try:
                run.wait(draw.uniform(0.15, 1.2) * (2 if SANITISED else 1))
            except subprocess.TimeoutExpired:
                run.kill()
                run.wait()
                killed += 1
            run.stdout.close()
            run.stderr.close()
        check(killed >= 4, f"only {killed} of 12 runs were killed")
        done = w.publish()
        ran(done, 0, None, "the run after kills")
        news = [e["text"] for e in w.events() if e["kind"] == "new_message"]
        equal([t.split("\n")[0] for t in news], [f"Note {i}" for i in range(count)],
              "each once, in order")
        messages = w.messages()
        ids = sorted(messages)
        wrong = [i for i, number in enumerate(ids) if messages[number].get("urls") !=
                 [f"https://t.me/channel1/{ids[(i + 1) % count]}"]]
        equal(wrong, [], "links after kills")
        w.fresh()
        ran(w.publish(), 0, (0, 0, count, 0, 0), "after that")
        equal(w.fresh(), [], "after that")


def case_interrupted():
    """SIGINT ends in good order, and the next run goes on."""
    with World("--answer-ms", "50") as w:
        for i in range(20):
            w.write(f"n{i:02d}.md", f"note {i}")
        run = w.start("--group-rate", "4/1:2")
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and (not os.path.exists(w.ledger) or len(w.events()) < 4):
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=PATIENCE_S)
        done = Done(run.returncode, out, err)
        s = done.summary()
        check(done.status == 3 and "interrupted" in err and s.get("published", 0) >= 4 and
              s.get("waiting", 0) + s.get("published", 0) == 20, f"interrupted: {done}")
        equal(len(w.events()), s.get("published"), "interrupted: sent")
        ran(w.publish(), 0, None, "after the interruption")
        equal(w.texts(), [f"note {i}" for i in range(20)], "after the interruption")
        run = w.start("--timeout", "1", "--group-rate", "1/60:1")
        out, err = run.communicate(timeout=PATIENCE_S)
        check(run.returncode in (0, 3), f"nothing to do: {out} {err}")


def case_time_out():
    with World() as w:
        for i in range(5):
            w.write(f"n{i}.md", f"note {i}")
        limit = 6 if SANITISED else 3
        done = w.publish("--group-rate", "1/60:2", "--timeout", str(limit))
        ran(done, 3, None, "time-out")
        check(done.summary().get("published") == 2 and done.summary().get("waiting") == 3 and
              f"not done after {limit} s" in done.err, f"time-out: {done}")
        rows = w.outbox().json()
        equal([r["state"] for r in rows], ["ready"] * 3, "what waits")
        check(all(r.get("eta_us", 0) / 1e6 > time.time() for r in rows), f"eta: {rows}")
        equal([r.get("ahead") for r in rows], [0, 1, 2], "rows before them")
        # Taken back by hand, and then published again: it is wanted after all.
        done = w.outbox("cancel", str(rows[1]["row"]))
        check(done.status == 0, f"cancel: {done}")
        ran(w.publish(), 0, (3, 0, 2, 0, 0), "after the time-out")
        equal(sorted(w.texts()), [f"note {i}" for i in range(5)], "after the time-out")


def case_twice_at_once():
    """A second run on the same file is refused, and says who has it."""
    with World("--answer-ms", "50") as w:
        for i in range(10):
            w.write(f"n{i}.md", f"note {i}")
        run = w.start("--group-rate", "3/1:1")
        try:
            end = time.monotonic() + PATIENCE_S
            while time.monotonic() < end and (not os.path.exists(w.ledger) or not w.events()):
                time.sleep(0.05)
            done = w.publish()
            check(done.status == 1 and f"process {run.pid}" in done.err and
                  done.err.count("\n") == 1, f"a second run: {done}")
        finally:
            out, err = run.communicate(timeout=PATIENCE_S)
        check(run.returncode == 0, f"the first run: {run.returncode} {out} {err}")
        equal(w.texts(), [f"note {i}" for i in range(10)], "two at once")


def case_two_processes():
    """Rows that another process puts there are sent by a userbot that runs."""
    with World() as w:
        # The order of arguments does not matter, negative ids are no options.
        run = subprocess.Popen(
            [USERBOT] + w.server() + ["--outbox", "--json", "--timeout", str(PATIENCE_S)] + FAST,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment(BOT), universal_newlines=True)
        try:
            end = time.monotonic() + PATIENCE_S
            while time.monotonic() < end:
                done = w.outbox("add", "-1004200000001", "one") if os.path.exists(w.state) else None
                if done is not None and done.status == 0:
                    break
                time.sleep(0.2)
            check(done is not None and done.status == 0 and done.json()[0]["row"] > 0,
                  f"add: {done}")
            for i, chat in enumerate(("channel:4200000001", "-1004200000002")):
                done = w.outbox("add", chat, "--", f"-text {i} {GRIN}")
                check(done.status == 0, f"add: {done}")
            while time.monotonic() < end and len(w.events()) < 3:
                time.sleep(0.05)
            equal(w.texts(1), ["one", f"-text 0 {GRIN}"], "the first channel")
            equal(w.texts(2), [f"-text 1 {GRIN}"], "the second channel")
            while time.monotonic() < end and w.outbox().out != "":
                time.sleep(0.05)
            rows = w.outbox("list", "--state-of", "sent").json()
            equal([(r["state"], r["kind"], r["chat"]) for r in rows],
                  [("sent", "send", "channel:4200000001"), ("sent", "send", "channel:4200000001"),
                   ("sent", "send", "channel:4200000002")], "rows that were sent")
            check(all(r.get("message_id", 0) > 0 for r in rows), f"ids of messages: {rows}")
        finally:
            run.terminate()
            out, err = run.communicate(timeout=PATIENCE_S)
        check(run.returncode == 0, f"the userbot: {run.returncode} {out} {err}")


def case_outbox():
    """Rows are shown, cancelled and sent again, without anybody who sends."""
    with World() as w:
        w.write("a.md", "one")
        ran(w.publish(), 0, (1, 0, 0, 0, 0), "one")
        w.fresh()
        base = w.outbox("list", "--state-of", "all").json()[-1]["row"]
        equal(w.outbox().out, "", "nothing waits")
        text = userbot(["outbox", "--state", w.state]).out
        equal(text, "nothing waits\n", "nothing waits")
        for i in range(3):
            done = w.outbox("add", "@channel1", f"row {i}")
            check(done.status == 0, f"add by a name that was met: {done}")
        rows = [r["row"] for r in w.outbox().json()]
        equal(rows, [base + 1, base + 2, base + 3], "what waits")
        done = w.outbox("cancel", str(base + 2))
        check(done.status == 0, f"cancel: {done}")
        done = w.outbox("cancel", str(base), str(base + 3), "9999")
        check(done.status == 1 and "is sent" in done.err and "no row 9999" in done.err,
              f"cancel what can't be: {done}")
        equal([r["row"] for r in w.outbox("--limit", "1").json()], [base + 1], "the first one")
        done = w.outbox("retry", str(base + 2))
        check(done.status == 0 and done.json()[0]["moved"] > base + 3, f"retry: {done}")
        done = userbot(["outbox", "--state", w.state, "show", str(base + 1)])
        check(done.status == 0 and re.search(r"^state +ready$", done.out, re.M) and
              "channel:4200000001" in done.out, f"show: {done}")
        done = userbot(["outbox", "--state", w.state])
        lines = done.out.splitlines()
        check(len(lines) == 3 and lines[0].startswith("row ") and "ready" in lines[1],
              f"the table: {done}")
        for words, what in ((["show", "9999"], "no row"), (["show", "x"], "number"),
                            (["release", "channel:1"], "not parked"), (["release"], "not parked"),
                            (["add", "@nobodyhere", "x"], "not met"), (["add", "!", "x"], "no chat"),
                            (["add", "me", "x" * 5000], "too long"), (["add", "me", ""], "empty"),
                            (["add", f"channel:{10 ** 18 - 1}", "x"], "no chat has this id"),
                            (["release", "!"], "id like -1001234567890")):
            done = w.outbox(*words)
            check(done.status == 1 and what in done.err and done.out == "", f"{words}: {done}")
        ran(w.publish(), 0, (0, 0, 1, 0, 0), "publishing meanwhile")
        with contextlib.closing(sqlite3.connect(w.state, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            done = w.outbox("add", "me", "x")
            check(done.status == 1 and "another program" in done.err and "try again" in done.err,
                  f"somebody writes for long: {done}")
        with open(w.state, "r+b") as file:
            file.write(b"no database at all")
        done = w.outbox()
        check(done.status == 1 and done.err.count("\n") == 1, f"no database: {done}")


def case_parked():
    """A chat that refuses is parked and told; released, it is sent to again."""
    script = "answer messages.sendMessage error 400 CHAT_WRITE_FORBIDDEN\nawait getState 100000\n"
    with World(script=script) as w:
        w.write("a.md", "one")
        w.write("b.md", "two")
        w.write("c.md", "---\nchat: '@channel2'\n---\nthree")
        done = w.publish()
        s = done.summary()
        check(done.status == 3 and s.get("parked") + s.get("published") == 3 and
              s.get("parked") > 0 and "parked" in done.err and
              "CHAT_WRITE_FORBIDDEN" in done.err and "not done" not in done.err, f"parked: {done}")
        parked = w.outbox("list", "--state-of", "parked").json()
        check(parked and all("CHAT_WRITE_FORBIDDEN" in r.get("reason", "") for r in parked),
              f"parked rows: {parked}")
        done = w.publish()
        ran(done, 3, None, "publishing to a parked chat")
        chat = parked[0]["chat"] if parked else "none"
        done = w.outbox("release", chat)
        check(done.status == 0, f"release: {done}")
        ran(w.publish(), 0, None, "released")
        equal((w.texts(1), w.texts(2)), (["one", "two"], ["three"]), "after the release")


def case_retry_parked():
    """Who tries a row of a parked chat again is told that this alone does not help."""
    script = "answer messages.sendMessage error 400 CHAT_WRITE_FORBIDDEN\nawait getState 100000\n"
    with World(script=script) as w:
        w.write("a.md", "one")
        ran(w.publish(), 3, (0, 0, 0, 1, 0), "parked")
        done = userbot(["outbox", "--state", w.state, "retry", "1"])
        check(done.status == 0 and "row 1 waits again, as row 2" in done.out and
              "row 2 needs you: its chat is parked" in done.out, f"tried again: {done}")
        done = userbot(["outbox", "--state", w.state, "release", "@channel1"])
        check(done.status == 0, f"released: {done}")
        ran(w.publish(), 0, (1, 0, 0, 0, 0), "released")


def case_peer_flood():
    """PEER_FLOOD ends a run; what is left goes out when people say so."""
    script = "answer messages.sendMessage error 400 PEER_FLOOD\nawait getState 100000\n"
    with World(script=script) as w:
        for i in range(4):
            w.write(f"n{i}.md", f"note {i}")
        done = w.publish()
        check(done.status == 3 and done.summary().get("parked") == 4 and
              "PEER_FLOOD" in done.err and "not done" not in done.err, f"PEER_FLOOD: {done}")
        check(all("eta_us" not in r for r in w.outbox().json()), f"eta: {w.outbox()}")
        done = w.publish()
        ran(done, 3, (0, 0, 0, 4, 0), "PEER_FLOOD is remembered")
        equal(w.events(), [], "sent in spite of PEER_FLOOD")
        done = w.outbox("release")
        check(done.status == 0, f"release: {done}")
        ran(w.publish(), 0, (4, 0, 0, 0, 0), "released")
        equal(w.texts(), [f"note {i}" for i in range(4)], "after PEER_FLOOD")


def case_flood_wait():
    """FLOOD_WAIT is waited for, also by the next run."""
    with World("--flood-rule", "messages.sendMessage:each:2/3600:4") as w:
        for i in range(3):
            w.write(f"n{i}.md", f"note {i}")
        done = w.publish("--timeout", "2")
        check(done.status == 3 and "a pause of 4 s" in done.err and
              done.summary().get("waiting") == 1, f"FLOOD_WAIT: {done}")
        row = (w.outbox().json() or [{}])[-1]
        check(row.get("eta_us", 0) / 1e6 > time.time() and "FLOOD_WAIT" in row.get("because", "") +
              row.get("reason", ""), f"FLOOD_WAIT: {row}")
        refused = [e["t_us"] for e in w.lines() if e.get("error", "").startswith("FLOOD_WAIT")]
        done = w.publish("--timeout", "3")
        check(done.status == 3, f"FLOOD_WAIT again: {done}")
        after = [e["t_us"] for e in w.lines() if e.get("error", "").startswith("FLOOD_WAIT")]
        check(len(refused) == 1 and all(t - refused[0] > 3900000 for t in after[1:]),
              f"asked within FLOOD_WAIT: {after}")


def on_terminal(args, columns, seconds):
    """What a run writes to a terminal of so many columns before it is interrupted."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    run = subprocess.Popen([USERBOT] + args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=theirs, env=environment(BOT))
    os.close(theirs)
    text = b""
    end = time.monotonic() + seconds
    while time.monotonic() < end and text.count(b"next in") < 2:
        if select.select([ours], [], [], 0.1)[0]:
            text += os.read(ours, 4096)
    run.send_signal(signal.SIGINT)
    run.wait(PATIENCE_S)
    os.close(ours)
    return text.decode()


def case_progress():
    """A line of progress stays one line, in a narrow terminal, too."""
    with World() as w:
        for i in range(5):
            w.write(f"n{i}.md", f"note {i}")
        args = [a for a in w.args("--group-rate", "1/60:2") if a != "--json"]
        for columns in (200, 50):
            text = on_terminal(args, columns, PATIENCE_S)
            lines = [line.replace("\033[K", "") for line in re.split("[\r\n]", text)
                     if "in step" in line]
            check(any("next in" in line for line in lines), f"no progress: {text!r}")
            check(max(map(len, lines)) < columns, f"too wide: {lines}")


def case_out():
    """--out has a line for everything that becomes of a row."""
    with World() as w:
        out = os.path.join(w.dir, "out")
        w.write("a.md", "one [b](b.md)")
        w.write("b.md", "two")
        ran(w.publish("--out", out), 0, (2, 0, 0, 0, 0), "with --out")
        with open(out, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        sent = [(e["post"], e["state"], e["chat"]) for e in lines if e["state"] == "sent"]
        equal(sent, [("a", "sent", "channel:4200000001"), ("b", "sent", "channel:4200000001"),
                     ("a", "sent", "channel:4200000001")], "lines of --out")


def readme_session():
    """What README shows under its heading: commands, each with what it prints."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        section = file.read().split("## Publish notes\n")[1].split("\n## ")[0]
    steps = []
    for block in re.findall(r"^```\n(.*?)^```$", section, re.M | re.S):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
    return steps


def free_port():
    """One below those that are given out by the system, so that it stays free."""
    while True:
        port = random.randrange(10000, 30000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


def case_readme():
    """README's session, as it stands there."""
    steps = readme_session()
    check(len(steps) > 10, f"README shows only {len(steps)} commands")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(BUILD, os.path.join(folder, "build"))
        script = "shopt -s expand_aliases\ntrap 'kill $(jobs -p); wait' EXIT\n"
        for command, _ in steps:
            command = command.replace("127.0.0.1:4430", f"127.0.0.1:{port}")
            script += f"{command}\necho '@@'\n"
        done = subprocess.run(["bash", "-c", script], cwd=folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              timeout=PATIENCE_S * 3, env=environment({}))
        got = done.stdout.decode().split("@@\n")
        for (command, wanted), out in zip(steps, got):
            equal(out.splitlines(), wanted, f"README: {command}")
        equal(done.stderr.decode(), "", "README: standard error")


def without_sqlite():
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "a.md"), "w", encoding="utf-8") as file:
            file.write("one")
        for args in (["publish", folder], ["outbox", "--state", "x.db"]):
            done = userbot(args, cwd=folder)
            check(done.status == 1 and "built without it" in done.err and
                  done.err.count("\n") == 1, f"{args}: {done}")


LONGEST = ("case_readme", "case_killed")  # begun first


def run_case(name):
    threading.current_thread().name = name[5:]
    start = time.monotonic()
    try:
        globals()[name]()
    except Exception as e:  # pylint: disable=broad-except
        check(False, f"{type(e).__name__}: {e}")
    if WANTED:
        print(f"publish: {name[5:]}: {time.monotonic() - start:.1f} s", flush=True)


def main():
    if not HAS_SQLITE:
        without_sqlite()
    else:
        cases = [n for n in globals() if n.startswith("case_") and (not WANTED or n[5:] in WANTED)]
        cases.sort(key=lambda n: n not in LONGEST)
        with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            list(pool.map(run_case, cases))
    return tally.finish()


sys.exit(main())
