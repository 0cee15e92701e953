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
import argparse
import collections
import hashlib
import json
import os
import pickle
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

import outbox_cases
import outbox_verdict
from outbox_verdict import Rate, Said, Terms

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SANITISED = os.environ.get("GAP_SANITISED") == "1"
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
ALWAYS_THERE = re.compile("AddressSanitizer|LeakSanitizer|runtime error|GAP_ASSERT|assert")

passed = 0
failed = 0
all_tried, all_hit = collections.Counter(), collections.Counter()  # failpoints


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("outbox: " + what, flush=True)
    return ok


def now_us():
    return time.time_ns() // 1000


def points_of(program):
    """Named places in the program to die at; none if the build has none."""
    with open(program, "rb") as f:
        code = f.read()
    if b"GAPLESS_FAILPOINT" not in code:
        return []
    names = set()
    for folder in ("src", "loops"):
        for directory, _, files in os.walk(os.path.join(ROOT, folder)):
            for name in (n for n in files if n.endswith(".c")):
                with open(os.path.join(directory, name), encoding="utf-8") as f:
                    names.update(re.findall(r'\bGAP_FAILPOINT(?:_FAILS)?\("([^"]+)"\)', f.read()))
    return sorted(n for n in names if n.encode() + b"\0" in code
                  and n.startswith(("outbox.", "store.commit", "sqlite.commit")))


def read_ledger(path):
    """Whole lines."""
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.endswith("\n")]


class Dc:
    """A gapless-dc, ended by its own pid."""

    def __init__(self, build, folder, args):
        self.key = os.path.join(folder, "key.pem")
        self.ledger = os.path.join(folder, "ledger")
        self.process = subprocess.Popen(
            [os.path.join(build, "gapless-dc"), "--pubkey-out", self.key, "--ledger", self.ledger]
            + args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.port = json.loads(self.process.stdout.readline())["port"]
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def stop(self):
        self.process.terminate()
        return self.process.wait(60)


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
            public = f" https://t.me/channel{i}" if i % 2 else ""
            kind = "slow" if i + 1 in SLOW else "channel"
            yield f"{kind} {4200000001 + i}{public}"
        for i in range(GROUPS):
            yield f"chat {800000001 + i}"
        for i in range(self.users):
            yield f"user {870000000001 + i}"


class World:
    """One data centre, one account, many short lives of two programs."""

    def __init__(self, build, seed, scale, folder):
        self.build, self.seed, self.scale, self.folder = build, seed, scale, folder
        self.rng = random.Random(f"outbox:{seed}")
        self.state = os.path.join(folder, "state.db")
        self.chats = os.path.join(folder, "chats")
        with open(self.chats, "w", encoding="utf-8") as f:
            f.write("\n".join(scale.chat_lines()) + "\n")
        self.lives = []
        self.tried, self.hit = [], []
        self.deaths = collections.Counter()
        self.complaints = []
        self.sender = os.path.join(build, "tests", "demo", "outbox_sender")
        self.writer = os.path.join(build, "tests", "demo", "outbox_writer")
        self.points = points_of(self.sender)
        self.turns = iter(())
        self.written = threading.Event()
        self.stopping = threading.Event()
        self.writer_lives = 0
        self.dc = Dc(build, folder, scale.dc_args(seed))

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
            if process.returncode not in (0, -signal.SIGKILL) or ALWAYS_THERE.search(text):
                self.complaints.append(f"outbox_writer ended with {process.returncode}: "
                                       f"{text[-500:]}")
                break
            if process.returncode == 0:
                break
        self.written.set()

    # --- who sends ---

    def start(self, point="", count=1, more=()):
        env = dict(os.environ)
        env.pop("GAPLESS_FAILPOINT", None)
        if point:
            env["GAPLESS_FAILPOINT"] = f"{point}:{count}:kill"
        return subprocess.Popen([self.sender, self.state, "--port", str(self.dc.port), "--key",
                                 self.dc.key, "--token", TOKEN] + self.scale.options() + list(more),
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=open(os.path.join(self.folder, "sender.err"), "wb"), env=env)

    def bury(self, process, began_us, wanted=(-signal.SIGKILL,)):
        """It has been told to end, or has ended."""
        status = process.wait(60)
        self.lives.append((began_us, now_us()))
        self.deaths[status] += 1
        with open(os.path.join(self.folder, "sender.err"), encoding="utf-8",
                  errors="replace") as f:
            text = f.read()
        if status not in wanted or ALWAYS_THERE.search(text):
            self.complaints.append(f"outbox_sender ended with {status}: {text[-2000:]}")
        return status

    def until(self, process, seconds, done=lambda: False):
        end = time.monotonic() + seconds
        while time.monotonic() < end and process.poll() is None and not done():
            time.sleep(0.005)

    def next_point(self):
        """Every point gets its turn before one gets a second."""
        point = next(self.turns, None)
        if point is None:
            order = list(self.points)
            self.rng.shuffle(order)
            self.turns = iter(order)
            point = next(self.turns)
        return point

    def live_and_die(self):
        began = now_us()
        at_point = self.points and self.rng.random() < 0.6
        if at_point:
            point = self.next_point()
            process = self.start(point, self.rng.choice((1, 2, 5, 15, 40)))
            self.until(process, self.rng.uniform(0.8, 2.5) * SLOWER)
            self.tried.append(point)
            if process.poll() is not None:
                self.hit.append(point)
        else:
            process = self.start()
            self.until(process, SLOWER * self.rng.choice(
                (self.rng.uniform(0.02, 0.15), self.rng.uniform(0.15, 1), self.rng.uniform(1, 3))))
        if self.rng.random() < 0.1:
            process.send_signal(signal.SIGTERM)
            self.until(process, self.rng.uniform(0, 0.3) * SLOWER)
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
            self.until(process, 20 * SLOWER)
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
        self.until(process, 20 * SLOWER)
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

    def verdict(self, name):
        record = self.record()
        judged = record.judge()
        for _, text in judged.problems[:12]:
            print(f"outbox: {name}: {text}", flush=True)
        check(not judged.problems, f"{name}: {len(judged.problems)} problems: "
                                   f"{collections.Counter(w for w, _ in judged.problems)}")
        left = self.left_over()
        check(not left, f"{name}: {len(left)} rows are left over, as {left[:3]}")
        check(not self.complaints, f"{name}: {self.complaints[:2]}")
        all_tried.update(self.tried)
        all_hit.update(self.hit)
        check(self.deaths[-signal.SIGKILL] >= 4 and self.writer_lives >= 2 and judged.edits > 0
              and judged.sent > self.scale.posts / 2 and judged.refused["FLOOD_WAIT"] > 0,
              f"{name}: {self.deaths}, {self.writer_lives} lives of the writer, {judged.sent} posts "
              f"sent, {judged.edits} edits, {judged.refused}: too little to mean anything")
        if not judged.problems:
            idle = outbox_cases.test_doctors(record, self.rng, check, name)
            print(f"{name}: doctors without work: {', '.join(idle) or 'none'}")
        return judged

    def read_by_others(self, name):
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
        check(done.returncode == 0, f"{name}: Telethon: {text[-2000:]}")
        print(f"{name}: {text.strip().splitlines()[-1] if text.strip() else ''}")


def keep_record(world, keep, name):
    """What a verdict needs, so that it can be had again."""
    target = os.path.join(keep, name)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(world.folder, target)
    with open(os.path.join(target, "record.pickle"), "wb") as f:
        pickle.dump(world.record(), f)


def rejudge(folder):
    with open(os.path.join(folder, "record.pickle"), "rb") as f:
        judged = pickle.load(f).judge()
    for _, text in judged.problems:
        print(text)
    print(f"{len(judged.problems)} problems")
    return 1 if judged.problems else 0


def run_world(build, seed, scale, keep):
    """@return true if nothing was wrong."""
    folder = tempfile.mkdtemp(prefix="outbox-torture-")
    name = f"{scale.posts} posts, seed {seed}"
    before, start = failed, time.monotonic()
    try:
        world = World(build, seed, scale, folder)
        try:
            try:
                world.run()
                world.read_by_others(name)
            finally:
                status = world.dc.stop()
            check(status == 0, f"{name}: gapless-dc ended with {status}")
            judged = world.verdict(name)
            answers = collections.Counter(c.get("answer") for c in judged.calls)
            windows = ", ".join(f"{n} of {most} in {s} s" for s, (n, most) in judged.most.items())
            print(f"{name}: {len(world.lives)} lives ({world.deaths[-signal.SIGKILL]} killed, "
                  f"{len(world.hit)} of {len(world.tried)} points reached), "
                  f"{world.writer_lives} of the writer; {judged.sent} sent, {judged.edits} edits, "
                  f"{judged.deleted} deleted, {len(judged.calls)} calls, "
                  f"{answers['dropped']} answers dropped, {answers['session_lost']} sessions lost, "
                  f"{judged.refused['FLOOD_WAIT']} FLOOD_WAIT, {judged.refused['SLOWMODE_WAIT']} "
                  f"SLOWMODE_WAIT; at most {windows}, {-judged.excess:.2f} calls to spare in the "
                  f"tightest window [{time.monotonic() - start:.0f} s]",
                  flush=True)
        finally:
            if keep:
                keep_record(world, keep, f"outbox-{seed}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return failed == before


def read_progress(path, build, seed):
    """Worlds that are done already, with these very programs: a campaign can be broken off."""
    programs = hashlib.sha256()
    for name in ("tests/demo/outbox_sender", "tests/demo/outbox_writer", "gapless-dc"):
        with open(os.path.join(build, name), "rb") as f:
            programs.update(f.read())
    fresh = {"seed": seed, "programs": programs.hexdigest(), "done": []}
    try:
        with open(path, encoding="utf-8") as f:
            found = json.load(f)
        return found if {**found, "done": []} == fresh else fresh
    except (OSError, ValueError):
        return fresh


def run_campaign(args):
    index, count = (int(n) for n in args.shard.split("/"))
    progress = read_progress(args.progress, args.build, args.seed)
    for number in range(-(-args.campaign // UNIT)):
        if number % count != index or number in progress["done"]:
            continue
        posts = min(UNIT, args.campaign - number * UNIT)
        scale = Scale(posts, posts * 4 // 5, min(UNIT_CHATS, max(12, posts // 10)))
        if run_world(args.build, args.seed + number, scale, args.keep) and args.progress:
            progress["done"].append(number)
            with open(args.progress, "w", encoding="utf-8") as f:
                json.dump(progress, f)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?")
    parser.add_argument("--posts", type=int, default=POSTS)
    parser.add_argument("--changes", type=int, default=CHANGES)
    parser.add_argument("--chats", type=int, default=CHATS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="copy ledger and state here")
    parser.add_argument("--campaign", type=int, metavar="N", help=f"N posts in worlds of {UNIT}")
    parser.add_argument("--shard", default="0/1", metavar="I/N", help="every Nth world from the Ith")
    parser.add_argument("--progress", default="", help="file that remembers what is done")
    parser.add_argument("--rejudge", metavar="DIR", help="judge again what --keep has kept")
    args = parser.parse_args()
    if args.rejudge:
        return rejudge(args.rejudge)
    if args.build is None:
        parser.error("which build?")
    args.build = os.path.abspath(args.build)
    outbox_cases.test_verdict(check)
    if args.campaign:
        run_campaign(args)
    else:
        run_world(args.build, args.seed, Scale(args.posts, args.changes, args.chats), args.keep)
    if all_tried:
        missed = sorted(set(all_tried) - set(all_hit))
        check(sum(all_hit.values()) > sum(all_tried.values()) / 4,
              f"of {sum(all_tried.values())} lives with a failpoint only {sum(all_hit.values())} "
              f"reached it")
        print(f"failpoints reached: {len(all_hit)} of {len(all_tried)}; not: "
              f"{', '.join(missed) or 'none'}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
