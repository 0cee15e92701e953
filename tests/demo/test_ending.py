#!/usr/bin/env python3
"""gapless-userbot and the end: what signals do, what the report says, and what the next start makes
of it. Every event is counted once (--count) and every message answered once (--reply), whatever
ended the process.

Usage: test_ending.py BUILD_DIR. Ends with "N passed, N failed".
"""
import collections
import concurrent.futures
import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from campaign import SANITISED, Tally

BUILD = os.path.abspath(sys.argv[1])
USERBOT = os.path.join(BUILD, "gapless-userbot")
DC = os.path.join(BUILD, "gapless-dc")
PATIENCE_S = 60 if SANITISED else 30
REPORT = re.compile(r"^gapless-userbot: drained (\d+), journalled (\d+), unknown (\d+)$", re.M)

tally = Tally("ending")
check = tally.check


class World:
    """A gapless-dc and the files of one account."""

    def __init__(self, folder, *args):
        self.folder = folder
        self.ledger, self.out, self.state = (os.path.join(folder, name)
                                             for name in ("ledger", "out", "state.db"))
        self.key = os.path.join(folder, "key.pem")
        self.process = subprocess.Popen(
            [DC, "--pubkey-out", self.key, "--ledger", self.ledger, *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.port = json.loads(self.process.stdout.readline())["port"]
        self.bots = []

    def start(self, *args):
        bot = subprocess.Popen(
            [USERBOT, "--server", f"127.0.0.1:{self.port}", "--server-key", self.key, "--api-id",
             "1", "--api-hash", "x", "--bot-token", "7000001:test", "--state", self.state, "--out",
             self.out, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, universal_newlines=True)
        self.bots.append(bot)
        return bot

    def lines(self):
        """What was written, but for a torn last line."""
        if not os.path.exists(self.out):
            return []
        with open(self.out, encoding="utf-8") as file:
            text = file.read()
        whole = []
        for line in text.split("\n")[:-1]:
            with contextlib.suppress(ValueError):  # torn by a kill
                whole.append(json.loads(line))
        return whole

    def await_lines(self, count):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and len(self.lines()) < count:
            time.sleep(0.05)

    def events(self):
        with open(self.ledger, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def query(self, sql):
        with contextlib.closing(sqlite3.connect(self.state, timeout=20)) as db:
            return db.execute(sql).fetchall()

    def close(self):
        for bot in self.bots:
            if bot.poll() is None:
                bot.kill()
                bot.wait()
            bot.stderr.close()
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()


def end(bot, number, timeout=PATIENCE_S):
    """Send a signal and wait; what it said."""
    bot.send_signal(number)
    try:
        bot.wait(timeout)
    except subprocess.TimeoutExpired:
        check(False, f"still there {timeout} s after signal {number}")
        bot.kill()
        bot.wait()
    return bot.stderr.read()


def report(said):
    found = REPORT.findall(said)
    if not check(len(found) == 1, f"no report, or several: {said!r}"):
        return 0, 0, 0
    return tuple(int(number) for number in found[0])


# Without status, which no journal keeps.
TRAFFIC = ["--events", "100000", "--rate", "200", "--channels", "30", "--kinds",
           "new_message,edit_message,delete_messages,pin,read,qts,callback_query"]


def test_handlers_finish(folder):
    """SIGTERM: what is at work is finished, and nothing is left but queries that came meanwhile: no
    difference brings those, so they are written down for the next start."""
    world = World(folder, *TRAFFIC)
    bot = world.start("--handler-ms", "300")
    world.await_lines(100)
    said = end(bot, signal.SIGTERM)
    drained, journalled, unknown = report(said)
    check(bot.returncode == 0, f"status {bot.returncode}: {said!r}")
    check(drained > 0 and unknown == 0, f"finish: {said!r}")
    check("interrupted after" in said, f"finish: {said!r}")
    before = len(world.lines())
    [(left,)] = world.query("select count(*) from gapless_inbox")
    check(journalled <= left, f"finish: {left} rows are left, {journalled} were told")
    bot = world.start()
    world.await_lines(before + 50)
    end(bot, signal.SIGTERM)
    kept = [line["kind"] for line in world.lines()[before:] if line["via"] == "journal"]
    check(len(kept) == left and set(kept) <= {"callback_query"},
          f"finish: {left} rows were left, then came {kept}")
    world.close()


def test_the_rest_is_kept(folder):
    """The drain is over before the handlers are: rows, which come first at the next start."""
    world = World(folder, *TRAFFIC)
    bot = world.start("--handler-ms", "60000", "--drain", "1", "--count")
    world.await_lines(30)
    began = time.monotonic()
    said = end(bot, signal.SIGINT)
    took = time.monotonic() - began
    drained, journalled, unknown = report(said)
    check(bot.returncode == 0 and 0.9 < took < 15, f"status {bot.returncode} after {took:.1f} s")
    check(drained == 0 and journalled >= 30 and unknown == 0, f"kept: {said!r}")
    check(world.query("select count(*) from gapless_inbox") == [(journalled,)], "kept: rows")
    before = len(world.lines())
    bot = world.start("--count")
    world.await_lines(before + journalled + 50)
    said = end(bot, signal.SIGTERM)
    after = world.lines()[before:]
    again = [line for line in after if line["via"] == "journal"]
    check(len(again) == journalled, f"kept: {len(again)} of {journalled} came again")
    check(all(line.get("maybe_repeated") for line in again), "kept: not marked as repeated")
    begun = set()
    for line in after:  # the rows of a chat, then what is new in it
        if line["via"] != "journal":
            begun.add(line.get("chat"))
        else:
            check(line.get("chat") not in begun, f"kept: a row after what came later: {line}")
    check(world.query("select count(*) from userbot_count where count <> 1") == [(0,)], "counted")
    world.close()


def test_the_second_signal(folder):
    world = World(folder, *TRAFFIC)
    bot = world.start("--handler-ms", "60000", "--drain", "60")
    world.await_lines(30)
    bot.send_signal(signal.SIGTERM)
    time.sleep(1)
    check(bot.poll() is None, "second: it did not wait")
    said = end(bot, signal.SIGTERM, 15)
    _, journalled, unknown = report(said)
    check(bot.returncode == 0 and journalled >= 30 and unknown == 0, f"second: {said!r}")
    world.close()


def test_the_third_signal(folder):
    """Nothing is waited for: the data centre is gone with answers due, the drain is long."""
    world = World(folder, *TRAFFIC)
    bot = world.start("--handler-ms", "60000", "--drain", "60")
    world.await_lines(10)
    bot.send_signal(signal.SIGSTOP)
    for _ in range(3):  # they arrive together; those of one kind may become one
        bot.send_signal(signal.SIGTERM)
        bot.send_signal(signal.SIGINT)
    bot.send_signal(signal.SIGCONT)
    time.sleep(0.3)
    for _ in range(3):
        with contextlib.suppress(ProcessLookupError):
            bot.send_signal(signal.SIGTERM)
        time.sleep(0.05)
    bot.wait(PATIENCE_S)
    check(bot.returncode in (0, -signal.SIGTERM, -signal.SIGINT), f"third: {bot.returncode}")
    bot.stderr.close()
    world.bots.remove(bot)
    world.close()


def test_without_a_state(folder):
    world = World(folder, *TRAFFIC)
    args = [USERBOT, "--server", f"127.0.0.1:{world.port}", "--server-key", world.key, "--api-id",
            "1", "--api-hash", "x", "--bot-token", "7000001:test", "--out", world.out,
            "--handler-ms", "60000", "--drain", "0"]
    bot = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, universal_newlines=True)
    world.bots.append(bot)
    world.await_lines(30)
    said = end(bot, signal.SIGTERM, 15)
    drained, journalled, unknown = report(said)
    check((drained, journalled) == (0, 0) and unknown >= 30, f"without: {said!r}")
    world.close()


def test_counted_and_answered_once(folder):
    """Ended in every way, again and again: each event is counted once, each message answered once."""
    world = World(folder, "--events", "1500", "--rate", "400", "--channels", "20", "--reorder",
                  "0.1", "--loss", "0.03", "--duplicate", "0.03", "--kinds",
                  "new_message,edit_message,qts,read,pin")
    args = ("--count", "--reply", "--handler-ms", "20", "--drain", "1")
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGKILL, signal.SIGINT):
        bot = world.start(*args)
        world.await_lines(len(world.lines()) + 60)
        end(bot, number)
    bot = world.start(*args, "--drain", "30")
    wanted = lambda: {(e["chat"], e["id"]) for e in world.events() if e["kind"] == "new_message"}
    counted = lambda: {(chat, number) for chat, number in
                       world.query("select chat, id from userbot_count where kind = 'new_message'")}
    limit = time.monotonic() + PATIENCE_S
    while time.monotonic() < limit and (len(wanted()) < 1000 or wanted() - counted()):
        time.sleep(0.3)
    time.sleep(1)
    said = end(bot, signal.SIGTERM)
    _, journalled, unknown = report(said)
    check((journalled, unknown) == (0, 0), f"once: {said!r}")
    missing = wanted() - counted()
    check(not missing, f"once: {len(missing)} messages are not counted: {sorted(missing)[:3]}")
    check(counted() <= wanted(), "once: what nobody wrote was counted")
    twice = world.query("select kind, chat, id, count from userbot_count where count <> 1")
    check(not twice, f"once: counted more than once: {twice[:3]}")
    sent = [e for e in world.events() if e.get("via") == "call" and e["kind"] == "new_message"]
    texts = collections.Counter((e["chat"], e["text"]) for e in sent)
    doubled = [key for key, count in texts.items() if count > 1]
    check(len(sent) > 100 and not doubled, f"once: {len(sent)} sent, doubled {doubled[:3]}")
    world.close()


def test_usage():
    for args, word in ((["--count"], "--state"), (["--journal", "eager", "--state", "x"], "lazy"),
                       (["--concurrency", "0"], "--concurrency"), (["--drain", "-1"], "--drain"),
                       (["login", "--reply", "--state", "x", "--telegram"], "--reply")):
        done = subprocess.run([USERBOT, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True, timeout=20,
                              check=False)
        check(done.returncode == 2 and word in done.stderr and done.stderr.count("\n") == 1,
              f"usage {args}: {done.returncode} {done.stderr!r}")


def run_test(test):
    with tempfile.TemporaryDirectory(prefix="ending-") as folder:
        test(folder)


def main():
    test_usage()
    tests = (test_counted_and_answered_once, test_handlers_finish, test_the_rest_is_kept,
             test_the_second_signal, test_the_third_signal, test_without_a_state)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:  # they wait more than they compute
        list(pool.map(run_test, tests))
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
