#!/usr/bin/env python3
"""Messages that go out once: one process writes posts into an outbox, another one sends them, both
are killed with SIGKILL again and again, and each post must be there once, in its order, with its
last text, within the limits.

Usage: outbox_torture.py BUILD_DIR [--posts N] [--changes N] [--chats N] [--seed S] [--keep DIR]
       outbox_torture.py BUILD_DIR --campaign N [--seed S] [--shard I/N] [--progress FILE]
       outbox_torture.py --rejudge DIR

A gapless-dc keeps running that drops answers, forgets sessions between a call and its answer,
answers late, refuses by chance, loses and doubles pushes, has slow mode in some chats and flood rules
for others. outbox_writer commits posts, changes and deletions and says in a table of its own what it
committed; outbox_sender sends. Both die at random moments (of a seeded choice), the sender also at
each named point of a build with failpoints. What the ledger has in the end is judged by
outbox_verdict.py; then the record is doctored and must be condemned (outbox_cases.py). Last, a
client that nobody here wrote (Telethon, if there is one) reads the chats.

A campaign is N posts in worlds of UNIT posts each; shards share them out, and --progress remembers
those that are done. Ends with "N passed, N failed".
"""
import collections
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import campaign
import outbox_cases
import outbox_verdict
from campaign import ROOT, SANITISED, now_us, read_ledger, until
from outbox_verdict import Rate, Said, Terms

SLOWER = 2 if SANITISED else 1
POSTS, CHANGES, CHATS = (200, 110, 18) if SANITISED else (400, 250, 24)
UNIT, UNIT_CHATS = 5000, 100
GROUPS = 5            # basic groups that an account has in gapless-dc
SLOW = (3, 7)         # channels with slow mode
PATIENCE_S = 40       # without news, while something is missing
QUIET_S = 1.2         # without news: what came twice would show
JITTER_S = 1.0 if SANITISED else 0.35
WAITING = (1, 2, 3, 4)  # states of rows that wait
TOKEN = "7000001:test"
CALLS = ("messages.sendMessage+messages.sendMedia+messages.editMessage+messages.deleteMessages+"
         "channels.deleteMessages+messages.updatePinnedMessage")

tally = campaign.Tally("outbox")
check = tally.check


class Scale:
    """How much of it, and how fast: scaled so that limits bind and it takes minutes at most."""

    def __init__(self, posts, changes, chats):
        self.posts, self.changes, self.chats = posts, changes, chats
        big = posts > 1000
        # calls, milliseconds, burst
        self.account = (80, 1000, 10) if big else (40, 1000, 8)
        self.person = (3, 1000, 3)
        self.group = (2, 1000, 3) if big else (3, 1000, 3)
        self.pause_us = 40_000 if big else 30_000
        self.users = max(2, chats // 4)
        self.channels = chats - self.users - GROUPS
        self.slow_s = 1

    def terms(self, settled=True):
        return Terms(*(Rate(calls, ms / 1000, burst) for calls, ms, burst in
                       (self.account, self.person, self.group)), jitter_s=JITTER_S,
                     learn_s=1.0 * SLOWER, settled=settled)

    def options(self):
        def words(rate):
            return "/".join(str(n) for n in rate)
        return ["--account", words(self.account), "--user", words(self.person), "--group",
                words(self.group), "--debounce-ms", "150", "--poll-ms", "40", "--retry-min-ms",
                "100", "--retry-max-ms", "1000", "--attempts", "30"]

    def dc_args(self, seed):
        args = ["--seed", str(seed), "--channels", str(self.channels), "--users", str(self.users),
                "--kinds", "new_message,edit_message", "--events", str(self.posts), "--rate", "15",
                "--reorder", "0.1", "--duplicate", "0.03", "--loss", "0.03",
                "--drop-answer", "0.02:" + CALLS, "--lose-session", "0.02:" + CALLS,
                "--answer-ms", "60", "--rpc-error", "0.01", "--flood", "0.005",
                # Less than the client's own limit: it runs into them, and has to remember.
                "--flood-rule", "messages.sendMessage:channel:1:8/8:2",
                "--flood-rule", "messages.sendMessage+messages.editMessage:channel:2:10/8:1",
                "--flood-rule", "messages.sendMessage:user:1:10/10:2",
                "--flood-rule", f"messages.editMessage:*:{self.account[0] * 4}/10:2"]
        for slow in SLOW:
            if slow <= self.channels:
                args += ["--slow-mode", f"{self.slow_s}:{slow}"]
        return args

    def chat_lines(self):
        """As outbox_writer reads them; half of the channels have public addresses."""
        for i in range(self.channels):
            public = f" https://t.me/channel{i + 1}" if i % 2 else ""
            kind = "slow" if i + 1 in SLOW else "channel"
            yield f"{kind} {4200000001 + i}{public}"
        for i in range(GROUPS):
            yield f"chat {800000001 + i}"
        for i in range(self.users):
            yield f"user {870000000001 + i}"


class World(campaign.World):
    """Many short lives of two programs."""

    doctors = outbox_cases.DOCTORS

    def __init__(self, build, seed, scale, title, folder):
        super().__init__(tally, "outbox", title, seed, folder)
        self.scale = scale
        self.chats = os.path.join(folder, "chats")
        with open(self.chats, "w", encoding="utf-8") as f:
            f.write("\n".join(scale.chat_lines()) + "\n")
        self.lives = []
        self.deaths = collections.Counter()
        self.sender = os.path.join(build, "tests", "demo", "outbox_sender")
        self.writer = os.path.join(build, "tests", "demo", "outbox_writer")
        self.points = campaign.sending_points(self.sender)
        self.turns = campaign.in_turn(self.points, self.rng)
        self.written = threading.Event()
        self.stopping = threading.Event()
        self.writer_lives = 0
        self.dc = campaign.Dc(build, folder, scale.dc_args(seed))

    # --- who writes ---

    def write(self):
        """Until everything is committed. Dies in the middle of it."""
        rng = random.Random(f"writer:{self.seed}")
        while not self.stopping.is_set():
            self.writer_lives += 1
            process = subprocess.Popen(
                [self.writer, self.state, "--chats", self.chats, "--posts", str(self.scale.posts),
                 "--changes", str(self.scale.changes), "--seed", str(self.seed), "--life",
                 str(self.writer_lives), "--pause-us", str(self.scale.pause_us)],
                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
            try:
                _, err = process.communicate(timeout=rng.uniform(0.05, 3) * SLOWER)
            except subprocess.TimeoutExpired:
                process.kill()
                _, err = process.communicate()
            text = err.decode("utf-8", "replace")
            if process.returncode not in (0, -signal.SIGKILL) or campaign.CRASH.search(text):
                self.complaints.append(f"outbox_writer ended with {process.returncode}: "
                                       f"{text[-500:]}")
                break
            if process.returncode == 0:
                break
        self.written.set()

    # --- who sends ---

    def start(self, point="", count=1, more=()):
        return subprocess.Popen([self.sender, self.state, "--port", str(self.dc.port), "--key",
                                 self.dc.key, "--token", TOKEN] + self.scale.options() + list(more),
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=open(os.path.join(self.folder, "sender.err"), "wb"),
                                env=campaign.environment(point, count))

    def bury(self, process, began_us, wanted=(-signal.SIGKILL,)):
        """It has been told to end, or has ended."""
        status = process.wait(60)
        self.lives.append((began_us, now_us()))
        self.deaths[status] += 1
        with open(os.path.join(self.folder, "sender.err"), encoding="utf-8",
                  errors="replace") as f:
            text = f.read()
        if status not in wanted or campaign.CRASH.search(text):
            self.complaints.append(f"outbox_sender ended with {status}: {text[-2000:]}")
        return status

    def live_and_die(self):
        began = now_us()
        at_point = self.points and self.rng.random() < 0.6
        if at_point:
            point = next(self.turns)
            process = self.start(point, self.rng.choice((1, 2, 5, 15, 40)))
            until(process, self.rng.uniform(0.8, 2.5) * SLOWER)
            self.tried.append(point)
            if process.poll() is not None:
                self.hit.append(point)
        else:
            process = self.start()
            until(process, SLOWER * self.rng.choice(
                (self.rng.uniform(0.02, 0.15), self.rng.uniform(0.15, 1), self.rng.uniform(1, 3))))
        if self.rng.random() < 0.1:
            process.send_signal(signal.SIGTERM)
            until(process, self.rng.uniform(0, 0.3) * SLOWER)
            if process.poll() is None:
                process.kill()
            self.bury(process, began, (0, -signal.SIGKILL))
        else:
            process.kill()
            self.bury(process, began)

    # --- the whole of it ---

    def prepare(self):
        """All chats are known before anything is sent."""
        began = now_us()
        for _ in range(20):
            process = self.start(more=["--find", self.chats])
            until(process, 20 * SLOWER)
            process.kill()
            if self.bury(process, began, (0, 1, -signal.SIGKILL)) == 0:
                return
        raise RuntimeError(f"the chats were not found: {self.complaints[-1:]}")

    def rows(self):
        """How many rows are in each state."""
        db = sqlite3.connect(f"file:{self.state}?mode=ro", uri=True, timeout=10)
        try:
            return dict(db.execute("SELECT state, count(*) FROM gapless_outbox GROUP BY state"))
        except sqlite3.OperationalError:
            return {}
        finally:
            db.close()

    def said(self):
        db = sqlite3.connect(f"file:{self.state}?mode=ro", uri=True, timeout=10)
        try:
            return [Said(*row) for row in db.execute(
                "SELECT n, post, chat, op, text, link, base, random_id FROM torture_said "
                "ORDER BY n")]
        finally:
            db.close()

    def is_waiting(self):
        rows = self.rows()
        return any(rows.get(state) for state in WAITING)

    def run(self):
        self.prepare()
        thread = threading.Thread(target=self.write)
        thread.start()
        try:
            size, news = 0, time.monotonic()
            while time.monotonic() - news < PATIENCE_S * SLOWER:
                self.live_and_die()
                if os.path.getsize(self.dc.ledger) != size:
                    size, news = os.path.getsize(self.dc.ledger), time.monotonic()
                if self.written.is_set() and not self.is_waiting():
                    break
            self.stopping.set()
        finally:
            self.stopping.set()
            thread.join()
        self.finish()
        self.read_by_others()

    def finish(self):
        """The last life: until links have settled and nothing more happens."""
        began, process = now_us(), self.start()
        calls, news, start = -1, time.monotonic(), time.monotonic()
        while process.poll() is None and time.monotonic() - start < 3 * PATIENCE_S * SLOWER:
            time.sleep(0.3)
            lines = read_ledger(self.dc.ledger)
            count = sum(1 for e in lines if e["kind"] == "call"
                        and e["method"] in outbox_verdict.METHODS)
            if count != calls:
                calls, news = count, time.monotonic()
            elif time.monotonic() - news > QUIET_S * SLOWER and not self.is_waiting():
                missing = [what for what, _ in self.judge().problems if what in
                           ("lost", "wrong text", "wrong link", "taken back")]
                if not missing or time.monotonic() - news > PATIENCE_S / 4:
                    break
        process.send_signal(signal.SIGTERM)
        until(process, 20 * SLOWER)
        process.kill()
        self.bury(process, began, (0,))

    # --- verdict ---

    def record(self):
        return outbox_cases.Record(read_ledger(self.dc.ledger), self.said(), self.lives,
                                   self.scale.terms())

    def judge(self):
        return self.record().judge()

    def left_over(self):
        """Rows that nobody wanted in their state."""
        db = sqlite3.connect(f"file:{self.state}?mode=ro", uri=True, timeout=10)
        try:
            return db.execute("SELECT row, kind, state, error, reason FROM gapless_outbox WHERE "
                              "state NOT IN (5, 8)").fetchall()
        finally:
            db.close()

    def check_more(self, _record, judged):
        left = self.left_over()
        check(not left, f"{self.title}: {len(left)} rows are left over, as {left[:3]}")
        check(self.deaths[-signal.SIGKILL] >= 4 and self.writer_lives >= 2 and judged.edits > 0
              and judged.sent > self.scale.posts / 2 and judged.refused["FLOOD_WAIT"] > 0,
              f"{self.title}: {self.deaths}, {self.writer_lives} lives of the writer, "
              f"{judged.sent} posts sent, {judged.edits} edits, {judged.refused}: too little to "
              "mean anything")

    def read_by_others(self):
        """What a client that nobody here wrote sees: chat -> texts and links, in order."""
        judged = self.judge()
        chats = {}
        for message in judged.in_order():
            chats.setdefault(message.e["chat"], []).append(
                [message.e["id"], message.now["text"], message.now.get("urls", [])])
        with open(os.path.join(self.folder, "expected.json"), "w", encoding="utf-8") as f:
            json.dump({"port": self.dc.port, "key": self.dc.key, "token": TOKEN, "chats": chats}, f)
        reader = os.path.join(ROOT, "tests", "interop", "telethon_history.py")
        if subprocess.run(["/usr/bin/python3", "-c", "import telethon"], check=False,
                          stderr=subprocess.DEVNULL).returncode != 0:
            print("skipped: what Telethon sees of the chats: it is not installed")
            return
        done = subprocess.run(["/usr/bin/python3", reader, f.name], check=False, timeout=300,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = done.stdout.decode("utf-8", "replace")
        check(done.returncode == 0, f"{self.title}: Telethon: {text[-2000:]}")
        print(f"{self.title}: {text.strip().splitlines()[-1] if text.strip() else ''}")

    def summary(self, judged):
        answers = collections.Counter(c.get("answer") for c in judged.calls)
        windows = ", ".join(f"{n} of {most} in {s} s" for s, (n, most) in judged.most.items())
        return (f"{len(self.lives)} lives ({self.deaths[-signal.SIGKILL]} killed, "
                f"{len(self.hit)} of {len(self.tried)} points reached), "
                f"{self.writer_lives} of the writer; {judged.sent} sent, {judged.edits} edits, "
                f"{judged.deleted} deleted, {len(judged.calls)} calls, "
                f"{answers['dropped']} answers dropped, {answers['session_lost']} sessions lost, "
                f"{judged.refused['FLOOD_WAIT']} FLOOD_WAIT, {judged.refused['SLOWMODE_WAIT']} "
                f"SLOWMODE_WAIT; at most {windows}, {-judged.excess:.2f} calls to spare in the "
                "tightest window")


def run_world(args, seed, scale):
    title = f"{scale.posts} posts, seed {seed}"
    return campaign.run_world(tally, title, lambda folder: World(args.build, seed, scale, title,
                                                                 folder), args.keep)


def run_test(args):
    run_world(args, args.seed, Scale(args.posts, args.changes, args.chats))


def run_campaign(args):
    def unit(number, posts):
        scale = Scale(posts, posts * 4 // 5, min(UNIT_CHATS, max(12, posts // 10)))
        return run_world(args, args.seed + number, scale)

    campaign.run_units(args, ("tests/demo/outbox_sender", "tests/demo/outbox_writer",
                              "gapless-dc"), UNIT, unit)


def main():
    parser = campaign.options(__doc__, "chats", f"posts in worlds of {UNIT}")
    parser.add_argument("--posts", type=int, default=POSTS)
    parser.add_argument("--changes", type=int, default=CHANGES)
    parser.add_argument("--chats", type=int, default=CHATS)
    return campaign.main(parser, tally, outbox_cases.test_verdict, run_test, run_campaign)


if __name__ == "__main__":
    sys.exit(main())
