#!/usr/bin/env python3
"""gapless-userbot is killed with SIGKILL again and again, started again with its --state, and must
not miss an update that a difference can bring.

Usage: test_kill.py BUILD_DIR [--kills N] [--seed S] [--scenario NAME] [--keep DIR]

A gapless-dc that loses, doubles and reorders pushes keeps running; the userbot dies at random
moments (of a seeded choice): while it signs in for the first time, while it catches up, while it
receives. What it wrote is judged by kill_verdict.py against the ledger; then the output is doctored
and must be condemned. Ends with "N passed, N failed".
"""
import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

import kill_verdict

SANITISED = os.environ.get("GAP_SANITISED") == "1"
KILLS = 14 if SANITISED else 50
SLOWER = 4 if SANITISED else 1  # a sanitised program needs so much longer for the same
PATIENCE_S = 30                 # from the last start until everything is there; also: a sign-in
QUIET_S = 0.7                   # without news: what came twice would show

passed = 0
failed = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("kill: " + what, flush=True)
    return ok


class Dc:
    """A gapless-dc, ended by its own pid."""

    def __init__(self, build, folder, args):
        self.key = os.path.join(folder, "key.pem")
        self.ledger = os.path.join(folder, "ledger")
        self.process = subprocess.Popen(
            [os.path.join(build, "gapless-dc"), "--pubkey-out", self.key, "--ledger", self.ledger]
            + args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.port = json.loads(self.process.stdout.readline())["port"]
        self.done = threading.Event()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            if json.loads(line).get("event") == "done":
                self.done.set()

    def stop(self):
        self.process.terminate()
        status = self.process.wait(60)
        self.reader.join(10)
        self.process.stdout.close()
        return status


def whole_lines(path, start, end):
    """JSON lines between two offsets; the last one may be torn, which no update is then. A start in
    the middle of the file may be after a torn line that a new one was begun for."""
    with open(path, "rb") as f:
        f.seek(start)
        data = f.read(end - start)
    if start > 0 and data.startswith(b"\n"):
        data = data[1:]
    lines = data.split(b"\n")
    return [json.loads(line) for line in lines[:-1]]


class Scenario:
    """One world, one account, many short lives."""

    name = ""
    dc_args = ()
    credentials = ()
    account = 0
    patience_s = PATIENCE_S * (2 if SANITISED else 1)
    sign_in_kills = (5, 12, 25, 45, 70, 100)  # ms after the start, of the first lives

    def __init__(self, build, seed, kills, folder):
        self.build, self.kills, self.folder = build, kills, folder
        self.rng = random.Random(f"{self.name}:{seed}")
        self.out = os.path.join(folder, "out")
        self.state = os.path.join(folder, "state.db")
        self.bounds = [0]  # offsets in the output between two lives
        self.complaints = []
        self.slower = SLOWER
        self.dc = Dc(build, folder, ["--seed", str(seed), "--reorder", "0.15", "--duplicate",
                                     "0.05"] + list(self.dc_args))

    def command(self):
        return [os.path.join(self.build, "gapless-userbot"), "--server",
                f"127.0.0.1:{self.dc.port}", "--server-key", self.dc.key, "--api-id", "1",
                "--api-hash", "x", "--state", self.state, "--out", self.out
                ] + list(self.credentials)

    def start(self):
        return subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def end(self, process, number):
        """Send a signal; status, and what it said by itself is remembered."""
        was_alive = process.poll() is None
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        self.bounds.append(os.path.getsize(self.out) if os.path.exists(self.out) else 0)
        said = [line for line in err.decode("utf-8", "replace").splitlines()
                if "interrupted after" not in line]
        self.complaints += said
        if not was_alive:
            check(False, f"{self.name}: life {len(self.bounds) - 1} ended by itself, status "
                         f"{process.returncode}: {said}")
        return process.returncode

    def live(self, ms):
        """One life that ends with SIGKILL after so many milliseconds; None: as soon as the first
        update has come."""
        process = self.start()
        if ms is not None:
            time.sleep(ms * self.slower / 1000)
        end = time.monotonic() + PATIENCE_S
        while ms is None and time.monotonic() < end and process.poll() is None:
            time.sleep(0.005)
            if os.path.exists(self.out) and os.path.getsize(self.out) > self.bounds[-1]:
                break
        self.end(process, signal.SIGKILL)
        # On a busy machine lives may be too short for anything: they grow until something comes.
        if ms is not None and self.bounds[-1] > 0:
            idle = self.bounds[-1] == self.bounds[-2]
            self.slower = min(self.slower * 1.2, 20) if idle else max(self.slower / 1.1, SLOWER)

    def plan(self):
        """Kills to come: (pause before the start in ms, life in ms)."""
        for i in range(self.kills):
            if i < len(self.sign_in_kills):
                yield 0, self.sign_in_kills[i] + self.rng.uniform(0, 8)
            elif i == len(self.sign_in_kills):
                yield 0, None
            elif self.rng.random() < 0.35:
                yield 0, self.rng.uniform(5, 60)   # while it catches up
            else:
                yield 0, self.rng.uniform(60, 300)

    def processes(self):
        return [whole_lines(self.out, a, b) for a, b in zip(self.bounds, self.bounds[1:])]

    def ledger(self):
        with open(self.dc.ledger, encoding="utf-8") as f:
            text = f.read()
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def judge_now(self):
        """A verdict in the middle of a life."""
        size = os.path.getsize(self.out) if os.path.exists(self.out) else 0
        lives = self.processes()
        lives.append(whole_lines(self.out, self.bounds[-1], size))
        return kill_verdict.judge(self.ledger(), lives, self.account), size

    def finish(self):
        """The last life: until all is there, and a quiet moment more."""
        process = self.start()
        end = time.monotonic() + self.patience_s
        last_size, news = -1, time.monotonic()
        while time.monotonic() < end and process.poll() is None:
            time.sleep(0.2)
            size = os.path.getsize(self.out) if os.path.exists(self.out) else 0
            if size != last_size:
                last_size, news = size, time.monotonic()
                continue
            if not self.dc.done.is_set() or time.monotonic() - news < QUIET_S:
                continue
            if self.judge_now()[0].lost == 0:
                break
        status = self.end(process, signal.SIGTERM)
        check(status == 0, f"{self.name}: SIGTERM ended it with {status}: {self.complaints[-3:]}")

    def nothing_again(self):
        """Ended in good order, everything was done: a further life has nothing to tell."""
        process = self.start()
        time.sleep(0.7 * SLOWER)
        self.end(process, signal.SIGTERM)
        again = [e for e in self.processes()[-1] if e["kind"] in kill_verdict.KINDS]
        check(not again, f"{self.name}: {len(again)} updates came again after a good end, as "
                         f"{again[:1]}")

    def run(self):
        for pause, ms in self.plan():
            time.sleep(pause / 1000)
            self.live(ms)
        self.finish()
        self.nothing_again()

    def verdict(self):
        lines, lives = self.ledger(), self.processes()
        judged = kill_verdict.judge(lines, lives, self.account)
        for _, text in judged.problems[:10]:
            print(f"kill: {self.name}: {text}", flush=True)
        check(not judged.problems, f"{self.name}: {len(judged.problems)} problems")
        useful = sum(1 for lines in lives[:-2] if lines)
        check(len(judged.ledger.events) > 100 and judged.ledger.differences > self.kills / 4
              and useful > self.kills / 8,
              f"{self.name}: {len(judged.ledger.events)} events, {judged.ledger.differences} "
              f"differences, {useful} lives with an update: too few to mean anything")
        spoken = [c for c in self.complaints if not expected_complaint(c)]
        check(not spoken, f"{self.name}: the userbot complained: {spoken[:3]}")
        if not judged.problems:
            self.doctor(lines, lives)
        return judged

    def doctor(self, lines, lives):
        """The verdict must be able to condemn."""
        for doctor in kill_verdict.DOCTORS:
            doctored = doctor(lives, self.rng)
            if doctored is None:
                continue
            bad, what = doctored
            found = {w for w, _ in kill_verdict.judge(lines, bad, self.account).problems}
            check(what in found, f"{self.name}: {doctor.__name__}: not found out: {found}")


def expected_complaint(line):
    """Doubled sign-ins and faults aside, a killed process has nothing to complain of."""
    return not line.strip()


class Bot(Scenario):
    """Every kind of update at a good pace."""

    name = "bot"
    account = 7000001
    credentials = ("--bot-token", "7000001:test")
    dc_args = ("--events", "3000", "--rate", "450", "--channels", "40", "--loss", "0.05")


class Person(Scenario):
    """Signs in with a code and a two-step password; channels give a person 100 at a time."""

    name = "person"
    sign_in_kills = (20, 90, 180, 260)  # with the proof of a password it takes longer
    account = 0  # asked of the ledger
    credentials = ("--phone", "+9996621234", "--code", "22222", "--password", "two steps")
    dc_args = ("--events", "1700", "--rate", "220", "--channels", "50", "--loss", "0.08",
               "--password", "two steps")

    def ledger(self):
        lines = super().ledger()
        if self.account == 0:
            self.account = next((e["account"] for e in lines if e["kind"] == "call"
                                 and e["method"] == "updates.getState" and e["account"]), 0)
        return lines


class Silence(Scenario):
    """Hundreds of channels that say something and then nothing for long. The userbot is away for
    more than a second, comes back, and is killed while it fetches channel after channel: those that
    were named to an earlier life are brought back only by the mark that was stored."""

    name = "silence"
    account = 7000002
    credentials = ("--bot-token", "7000002:test")
    dc_args = ("--events", "1600", "--rate", "260", "--channels", "400", "--loss", "0.2",
               "--kinds", "new_message,edit_message", "--delay-ms", "12")
    sign_in_kills = (60, 120, 180)
    away_ms = 1300
    burst = 5

    def plan(self):
        since = self.burst - 2
        for i in range(self.kills):
            if i < len(self.sign_in_kills):
                yield 0, self.sign_in_kills[i] + self.rng.uniform(0, 20)
                continue
            if i == len(self.sign_in_kills):
                yield 0, None
                continue
            since += 1
            away = since % self.burst == 0
            yield (self.away_ms if away else 0), self.rng.uniform(25, 220)


class Forgetful(Silence):
    """The same, but between two lives the marks are taken out of the database: updates must be
    missing then. If they aren't, the scenario above proves nothing about the marks."""

    name = "forgetful"
    patience_s = 6

    def end(self, process, number):
        status = super().end(process, number)
        if os.path.exists(self.state):
            db = sqlite3.connect(self.state)
            with db:
                if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'gapless_channel'"
                              ).fetchone():
                    db.execute("UPDATE gapless_channel SET unfinished = 0")
            db.close()
        return status

    def nothing_again(self):
        pass

    def verdict(self):
        judged = kill_verdict.judge(self.ledger(), self.processes(), self.account)
        check(judged.lost > 0, "forgetful: nothing was lost without the marks")
        return judged


SCENARIOS = (Bot, Person, Silence, Forgetful)


def run_scenario(kind, build, seed, kills, keep):
    folder = tempfile.mkdtemp(prefix="kill-")
    start = time.monotonic()
    scenario = kind(build, seed, kills, folder)
    status = None
    try:
        try:
            scenario.run()
        finally:
            status = scenario.dc.stop()
        check(status == 0, f"{kind.name}: gapless-dc ended with {status}")
        judged = scenario.verdict()
        print(f"{kind.name}, seed {seed}: {kills} kills, {len(judged.ledger.events)} events, "
              f"{judged.deliveries} deliveries, {judged.repeated} of them repeated, "
              f"{judged.superseded} superseded, {judged.lost} lost, "
              f"{judged.ledger.differences} differences, "
              f"{judged.ledger.before_state} from before the sign-in "
              f"[{time.monotonic() - start:.0f} s]", flush=True)
    finally:
        if keep:
            target = os.path.join(keep, f"{kind.name}-{seed}")
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(folder, target)
            with open(os.path.join(target, "bounds"), "w", encoding="ascii") as f:
                json.dump({"account": scenario.account, "bounds": scenario.bounds}, f)
        shutil.rmtree(folder, ignore_errors=True)


def test_verdict():
    """The judge on handmade cases, each with what it must say."""
    def new(n, pts, **more):
        return dict({"n": n, "kind": "new_message", "account": 1, "box": "common", "pts": pts,
                     "pts_count": 1, "chat": "user:5", "id": n, "text": f"t{n}"}, **more)

    def got(e, **more):
        return dict({k: v for k, v in e.items() if k != "n"}, via="push", **more)

    def unplaced(e, **more):
        return got(dict(e, pts=None), **more)

    edit = dict(new(3, 4), kind="edit_message", id=1, text="e1")
    read = {"n": 4, "kind": "read", "account": 1, "box": "common", "pts": 5, "chat": "user:5",
            "max_id": 2, "outbox": False}
    later = dict(read, n=5, pts=6, max_id=3)
    fold = {"kind": "difference", "account": 1, "box": "common", "from": 1, "to": 9}
    two = [new(1, 2), new(2, 3)]
    flag = {"maybe_repeated": True}
    cases = [
        ("all there", two, [[got(e) for e in two]], []),
        ("one lost", two, [[got(two[0])]], ["lost"]),
        ("two lives", two, [[got(two[0])], [got(two[1])]], []),
        ("repeated, flagged", two, [[got(two[0])], [unplaced(two[0], **flag), got(two[1])]], []),
        ("repeated, not flagged", two, [[got(two[0])], [got(two[0]), got(two[1])]],
         ["repeated without maybe_repeated"]),
        ("twice in one life, flagged or not", two,
         [[got(two[0]), unplaced(two[0], **flag), got(two[1])]],
         ["doubled", ]),
        ("swapped", two, [[got(two[1]), got(two[0])]],
         ["out of order: pts", "out of order: an older message"]),
        ("not in the ledger", two, [[got(e) for e in two] + [got(new(9, 9))]], ["unknown"]),
        ("another text", two, [[got(two[0], text="x"), got(two[1])]], ["wrong text"]),
        ("edit before its message", two + [edit],
         [[unplaced(edit), unplaced(two[0]), unplaced(two[1])]], ["out of order: after its edit"]),
        ("folded edit, message with its text", two + [edit, dict(fold, folded=[3])],
         [[unplaced(two[0], text="e1"), got(two[1])]], []),
        ("folded edit, message with the old text", two + [edit, dict(fold, folded=[3])],
         [[got(two[0]), got(two[1])]], ["lost"]),
        ("edit not folded, and missing", two + [edit],
         [[unplaced(two[0], text="e1"), got(two[1])]], ["lost"]),
        ("folded read, a later one came", two + [read, later, dict(fold, folded=[4])],
         [[got(two[0]), got(two[1]), got(later)]], []),
        ("folded read, none came", two + [read, dict(fold, folded=[4])],
         [[got(two[0]), got(two[1])]], ["lost"]),
    ]
    for why, ledger, processes, wanted in cases:
        found = [what for what, _ in kill_verdict.judge(ledger, processes, 1).problems]
        check(sorted(found) == sorted(wanted), f"verdict, {why}: {found}, wanted {wanted}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scenario", choices=[s.name for s in SCENARIOS])
    parser.add_argument("--keep", help="copy ledger, output and state here")
    args = parser.parse_args()
    test_verdict()
    kinds = [s for s in SCENARIOS if args.scenario == s.name or
             (args.scenario is None and s is not Forgetful)]
    for i, kind in enumerate(kinds):
        kills = args.kills // len(kinds) + (i < args.kills % len(kinds))
        run_scenario(kind, os.path.abspath(args.build), args.seed, kills, args.keep)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
