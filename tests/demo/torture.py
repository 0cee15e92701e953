#!/usr/bin/env python3
"""gapless-userbot is killed with SIGKILL again and again, started again with its --state, and must
neither miss an update nor do anything twice.

Usage: torture.py BUILD_DIR [--kills N] [--seed S] [--scenario NAME] [--keep DIR]
       torture.py BUILD_DIR --campaign N [--seed S] [--shard I/N] [--progress FILE] [--jobs N]
       torture.py --rejudge DIR

A gapless-dc that loses, doubles and reorders pushes, and has worse moods in some scenarios, keeps
running; the userbot dies at random moments (of a seeded choice): while it signs in for the first
time, while it catches up, while handlers are at work, while it shuts down. In a build with
failpoints it also dies at each named point of the source. What it wrote, what it counted in its
database and what it sent are judged by torture_verdict.py against the ledger; then the record is
doctored and must be condemned (torture_cases.py).

A campaign is N kills in units of one scenario, seed and UNIT kills; shards share the units out, and
--progress remembers those that are done. Ends with "N passed, N failed".
"""
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

import campaign
import torture_cases
import torture_verdict
from campaign import SANITISED, read_ledger, until
from torture_verdict import Life, Snapshot, Terms

KILLS = 45 if SANITISED else 60
SLOWER = 4 if SANITISED else 1  # a sanitised program needs so much longer for the same
PATIENCE_S = 20                 # without news, while something is missing; also: a sign-in
QUIET_S = 0.7                   # without news: what came twice would show
UNIT = 50                       # kills of a campaign's unit
WORKERS = 3

# How a life may end that was sent SIGTERM, and perhaps SIGKILL: also before it had looked at either.
TERMINATED = (0, -signal.SIGTERM, -signal.SIGKILL)

tally = campaign.Tally("torture")
check = tally.check


# --- failpoints -----------------------------------------------------------------------------

def failpoints(build):
    """(points to die at, those of them that can fail instead); none if the build has none. Nobody
    sends from an outbox here."""
    points, fail = campaign.failpoints(os.path.join(build, "gapless-userbot"))
    return [p for p in points if not p.startswith("outbox.")], fail


# What a point that fails lets its program say; and where a commit fails it is tried again only so
# much later.
FAILURES = {"sqlite.row": "the disk is full; nothing was changed; make room; trying again|"
                          "stored again"}
RETRY_US = 1_000_000


ONCE = "session.made.before"  # in the life that makes the session file


def is_at_the_end(point):
    """Passed only while the program ends in good order."""
    return point.startswith(("shutdown.", "store.end"))


class Death:
    """How a life ends."""

    def __init__(self, ms, pause_ms=0, point="", count=1, deed="kill", grace_ms=None):
        self.ms, self.pause_ms = ms, pause_ms  # ms None: as soon as the first update has come
        self.point, self.count, self.deed = point, count, deed
        self.grace_ms = grace_ms  # SIGTERM, and SIGKILL so much later; None: at once


# --- the other side ---------------------------------------------------------------------------

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


def snapshot(path, ledger):
    """What a database holds, from a copy: looking at it must not change it. None: there is none."""
    if not os.path.exists(path):
        return None
    folder = tempfile.mkdtemp(prefix="torture-look-")
    copy = os.path.join(folder, "db")
    try:
        for end in ("", "-wal", "-journal"):
            if os.path.exists(path + end):
                shutil.copyfile(path + end, copy + end)
        db = sqlite3.connect(copy)
        try:
            found = Snapshot()
            state = db.execute("PRAGMA quick_check").fetchone()[0]
            check(state == "ok", f"a database was damaged by a kill: {state}")
            tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
            if "userbot_count" in tables:
                found.counts = db.execute("SELECT kind, chat, id, count FROM userbot_count"
                                          ).fetchall()
            if "gapless_inbox" in tables:
                rows = [row[0] for row in db.execute("SELECT packed FROM gapless_inbox")]
                found.inbox = len(rows)
                # A query's update has its id in it, as eight bytes.
                found.queries = {e["query_id"] for e in ledger if e["kind"] == "callback_query"
                                 for packed in rows
                                 if e["query_id"].to_bytes(8, "little", signed=True) in packed}
            if "gapless_dead" in tables:
                for attempts, packed in db.execute("SELECT attempts, packed FROM gapless_dead"):
                    text = [e["text"] for e in ledger if "text" in e and len(e["text"]) > 4
                            and e["text"].encode() in packed]
                    found.dead.append((attempts, max(text, key=len, default=None)))
            return found
        finally:
            db.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# --- scenarios --------------------------------------------------------------------------------

class Scenario(campaign.World):
    """Many short lives of a userbot."""

    doctors = torture_cases.DOCTORS

    name = ""
    dc_args = ()
    credentials = ()
    options = ()            # of the userbot
    account = 0
    terms = {}
    allowed = ()            # complaints that belong to this world
    patience_s = PATIENCE_S * (2 if SANITISED else 1)
    sign_in_kills = (5, 12, 25, 45, 70, 100)  # ms after the start, of the first lives

    def __init__(self, build, seed, kills, folder):
        super().__init__(tally, self.name, f"{self.name}, seed {seed}", seed, folder)
        self.build, self.kills = build, kills
        self.out = os.path.join(folder, "out")
        self.bounds = [0]   # offsets in the output between two lives
        self.ends = []      # (when, snapshot, how much later things are written), of each life
        self.ending = None  # of the life at hand
        self.slower = SLOWER
        self.points, self.can_fail = failpoints(build)
        self.since_long = 0
        self.refused = 0  # answers that the server did not take, and the userbot said so
        self.dc = campaign.Dc(build, folder, ["--seed", str(seed), "--reorder", "0.15",
                                              "--duplicate", "0.05"] + list(self.dc_args))

    # --- lives ---

    def command(self):
        return [os.path.join(self.build, "gapless-userbot"), "--server",
                f"127.0.0.1:{self.dc.port}", "--server-key", self.dc.key, "--api-id", "1",
                "--api-hash", "x", "--state", self.state, "--out", self.out
                ] + list(self.credentials) + list(self.options)

    def start(self, death=None):
        env = campaign.environment()
        self.ending = death
        if death is not None and death.point:
            env = campaign.environment(death.point, death.count, death.deed)
        return subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, env=env,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def size(self):
        return os.path.getsize(self.out) if os.path.exists(self.out) else 0

    def buried(self, process, may_have_died):
        """The process has been told to end: its last words, and what it left."""
        _, err = process.communicate(timeout=120)
        fails = self.ending is not None and self.ending.deed == "error"
        self.bounds.append(self.size())
        self.ends.append((campaign.now_us(),
                          snapshot(self.state, read_ledger(self.dc.ledger)),
                          RETRY_US if fails else 0))
        self.refused += len(re.findall(b"an answer was not sent", err))
        allowed = ["interrupted|drained|was given up after 5", *self.allowed]
        if fails:
            allowed.append(FAILURES[self.ending.point])
        said = [line for line in err.decode("utf-8", "replace").splitlines()
                if line.strip() and not any(re.search(a, line) for a in allowed)]
        self.complaints += said
        if not may_have_died:
            check(False, f"{self.name}: life {len(self.bounds) - 1} ended by itself, status "
                         f"{process.returncode}: {said[-12:]}")
        return process.returncode

    def kill(self, process):
        was_alive = process.poll() is None
        process.kill()
        return self.buried(process, was_alive)

    def live_to_point(self, process, death):
        """Until the point is reached, or for so long that it will not be."""
        end = is_at_the_end(death.point)
        if not until(process, death.ms * self.slower / 1000) and end:
            process.send_signal(signal.SIGTERM)
            until(process, 2 * SLOWER)
        self.tried.append(death.point)
        if process.poll() == -signal.SIGKILL:
            self.hit.append(death.point)
            self.buried(process, True)
        elif end and process.poll() is not None:
            self.buried(process, process.returncode in TERMINATED)
        else:
            self.kill(process)

    def live(self, death):
        process = self.start(death)
        if death.point and death.deed == "kill":
            self.live_to_point(process, death)
        elif death.ms is None:
            until(process, PATIENCE_S, lambda: self.size() > self.bounds[-1])
            self.kill(process)
        else:
            until(process, death.ms * self.slower / 1000)
            if death.grace_ms is None:
                self.kill(process)
            else:
                process.send_signal(signal.SIGTERM)
                until(process, death.grace_ms * self.slower / 1000)
                if process.poll() is None:
                    process.kill()
                self.buried(process, process.poll() in (None, *TERMINATED))
        # On a busy machine lives may be too short for anything: they grow until something comes.
        if death.ms is not None and not death.point and self.bounds[-1] > 0:
            idle = self.bounds[-1] == self.bounds[-2]
            self.slower = min(self.slower * 1.2, 20) if idle else max(self.slower / 1.1, SLOWER)

    # --- how lives end ---

    def moment(self):
        # Now and then long enough for every handler, or all would be given up as what kills us.
        self.since_long += 1
        if self.since_long >= 3:
            self.since_long = 0
            return self.rng.uniform(600, 1000)
        if self.rng.random() < 0.35:
            return self.rng.uniform(5, 60)   # while it catches up
        return self.rng.uniform(60, 300)

    def death(self, turns):
        if self.points and self.rng.random() < 0.8:
            point = next(turns)
            if point in self.can_fail and self.rng.random() < 0.3:
                return Death(self.moment() + 100, point=point, count=self.rng.randint(1, 20),
                             deed="error")
            most = 2 if is_at_the_end(point) else self.rng.choice((1, 3, 10, 40))
            return Death(self.moment() + 150, point=point,
                         count=self.rng.randint(1, most))
        grace = self.rng.uniform(0, 80) if self.rng.random() < 0.12 else None
        return Death(self.moment(), grace_ms=grace)

    def beginnings(self):
        """Lives until the first update has come."""
        session = [p for p in self.points if p.startswith("session.") and p != ONCE]
        if ONCE in self.points:
            yield Death(400, point=ONCE)
        for ms in self.rng.sample(self.sign_in_kills, min(2, len(self.sign_in_kills))
                                  ) if session else self.sign_in_kills:
            yield Death(ms + self.rng.uniform(0, 8))
        if session:
            yield Death(400, point=self.rng.choice(session), count=self.rng.randint(1, 3))
        yield Death(None)

    def plan(self):
        turns = campaign.in_turn([p for p in self.points if p != ONCE], self.rng)
        deaths = list(self.beginnings())[:self.kills]
        yield from deaths
        for _ in range(self.kills - len(deaths)):
            yield self.death(turns)

    # --- the whole of it ---

    def ledger(self):
        return read_ledger(self.dc.ledger)

    def lives(self):
        spans = zip(self.bounds, self.bounds[1:], self.ends)
        return [Life(whole_lines(self.out, a, b), *end) for a, b, end in spans]

    def judge_now(self):
        """A verdict in the middle of a life."""
        lives = self.lives() if os.path.exists(self.out) else []
        if os.path.exists(self.out):
            lives.append(Life(whole_lines(self.out, self.bounds[-1], self.size())))
        terms = Terms(journal=self.terms.get("journal", True))
        return torture_verdict.judge(self.ledger(), lives, self.account, terms)

    def finish(self):
        """The last life: until all is there, and a quiet moment more."""
        process = self.start()
        last_size, news = -1, time.monotonic()
        while time.monotonic() - news < self.patience_s and process.poll() is None:
            time.sleep(0.2)
            size = self.size()
            if size != last_size:
                last_size, news = size, time.monotonic()
                continue
            if not self.dc.done.is_set() or time.monotonic() - news < QUIET_S:
                continue
            if self.judge_now().lost == 0 and snapshot(self.state, ()).inbox == 0:
                break
            time.sleep(0.5)
        self.end_well(process)

    def end_well(self, process):
        alive = process.poll() is None
        process.send_signal(signal.SIGTERM)
        status = self.buried(process, alive)
        check(status == 0, f"{self.name}: SIGTERM ended it with {status}: {self.complaints[-3:]}")

    def nothing_again(self):
        """Ended in good order, everything was done: a further life has nothing to tell."""
        process = self.start()
        time.sleep(0.7 * SLOWER)
        self.end_well(process)
        again = [e for e in self.lives()[-1].lines if e["kind"] in torture_verdict.KINDS]
        check(not again, f"{self.name}: {len(again)} updates came again after a good end, as "
                         f"{again[:1]}")

    def run(self):
        for death in self.plan():
            time.sleep(death.pause_ms / 1000)
            self.live(death)
        self.finish()
        self.nothing_again()

    def record(self):
        return torture_cases.Record(self.ledger(), self.lives(), self.account,
                                    Terms(drained=True, refused=self.refused, **self.terms))

    def check_more(self, record, judged):
        useful = sum(1 for life in record.lives[:-2] if life.lines)
        check(len(judged.ledger.events) > 100 and judged.ledger.differences > self.kills / 4
              and useful > self.kills / 8,
              f"{self.title}: {len(judged.ledger.events)} events, {judged.ledger.differences} "
              f"differences, {useful} lives with an update: too few to mean anything")

    def summary(self, judged):
        points = f", {len(self.hit)} of {len(self.tried)} points reached" if self.tried else ""
        return (f"{self.kills} kills, {len(judged.ledger.events)} events, "
                f"{judged.deliveries} deliveries, {judged.repeated} of them repeated, "
                f"{judged.replayed} replayed, {judged.superseded} superseded, "
                f"{judged.lost} lost, {judged.ledger.differences} differences, "
                f"{judged.ledger.before_state} from before the sign-in{points}")


class Bot(Scenario):
    """Every kind of update at a good pace; handlers take a while, count and answer."""

    name = "bot"
    account = 7000001
    credentials = ("--bot-token", "7000001:test")
    options = ("--journal", "lazy", "--count", "--reply", "--handler-ms", "20")
    terms = {"counts": True, "replies": True, "steady": True}
    dc_args = ("--events", "1500", "--rate", "300", "--channels", "40", "--users", "300",
               "--loss", "0.05", "--slice", "8")


class Slow(Scenario):
    """Handlers take longer than an update may wait before it is journalled, few run at a time, and
    the data centre has bad days: cut connections, refused calls, waits."""

    name = "slow"
    account = 7000003
    credentials = ("--bot-token", "7000003:test")
    options = ("--journal", "lazy", "--count", "--reply", "--handler-ms", "220",
               "--concurrency", "60")
    terms = {"counts": True, "replies": True}
    dc_args = ("--events", "300", "--rate", "50", "--channels", "60", "--loss", "0.05",
               "--disconnect", "0.2", "--rpc-error", "0.03", "--flood", "0.01")
    allowed = ("an answer was not sent", "connection", "trying again", "RPC_CALL_FAIL",
               "FLOOD_WAIT")


class Person(Scenario):
    """Signs in with a code and a two-step password; channels give a person 100 at a time. Every
    update is on disk before its handler runs."""

    name = "person"
    sign_in_kills = (20, 90, 180, 260)  # with the proof of a password it takes longer
    account = 0  # asked of the ledger
    credentials = ("--phone", "+9996621234", "--code", "22222", "--password", "two steps")
    options = ("--journal", "full", "--count", "--handler-ms", "30")
    terms = {"counts": True, "steady": True}
    dc_args = ("--events", "1500", "--rate", "220", "--channels", "50", "--loss", "0.08",
               "--password", "two steps")

    def ledger(self):
        lines = super().ledger()
        if self.account == 0:
            self.account = next((e["account"] for e in lines if e["kind"] == "call"
                                 and e["method"] == "updates.getState" and e["account"]), 0)
        return lines


class Light(Scenario):
    """No journal: at least once, but for queries; handlers that return at once."""

    name = "light"
    account = 7000004
    credentials = ("--bot-token", "7000004:test")
    options = ("--journal", "light")
    terms = {"journal": False}
    dc_args = ("--events", "2400", "--rate", "400", "--channels", "40", "--loss", "0.05",
               "--disconnect", "0.1")
    allowed = ("connection", "trying again")


class Silence(Scenario):
    """Hundreds of channels that say something and then nothing for long (S83). The userbot is away
    for more than a second, comes back, and is killed while it fetches channel after channel and
    while handlers are at work: what was unfinished then is brought back only by the mark that was
    stored with the channel, or by the journal."""

    name = "silence"
    account = 7000002
    credentials = ("--bot-token", "7000002:test")
    options = ("--journal", "lazy", "--count", "--handler-ms", "120")
    terms = {"counts": True, "steady": True}
    dc_args = ("--events", "1600", "--rate", "260", "--channels", "400", "--loss", "0.2",
               "--kinds", "new_message,edit_message", "--delay-ms", "12")
    sign_in_kills = (60, 120, 180)
    away_ms = 1300
    burst = 5

    def plan(self):
        """Every few lives a longer pause before the next."""
        for i, death in enumerate(super().plan()):
            away = i > len(self.sign_in_kills) and i % self.burst == 0
            death.pause_ms = self.away_ms if away else 0
            yield death


class Forgetful(Silence):
    """The same, but between two lives marks and journal are taken out of the database: updates must
    be missing then. If they aren't, the scenario above proves nothing about them."""

    name = "forgetful"
    patience_s = 6

    def buried(self, process, may_have_died):
        status = super().buried(process, may_have_died)
        if os.path.exists(self.state):
            db = sqlite3.connect(self.state)
            with db:
                tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
                if "gapless_channel" in tables:
                    db.execute("UPDATE gapless_channel SET unfinished = 0")
                if "gapless_inbox" in tables:
                    db.execute("DELETE FROM gapless_inbox")
            db.close()
        return status

    def nothing_again(self):
        pass

    def verdict(self):
        judged = self.record().judge()
        check(judged.lost > 0, "forgetful: nothing was lost without marks and journal")
        return judged


SCENARIOS = (Bot, Slow, Person, Light, Silence, Forgetful)
SOUND = [s for s in SCENARIOS if s is not Forgetful]


# --- running them -----------------------------------------------------------------------------

def run_scenario(args, kind, seed, kills):
    return campaign.run_world(tally, f"{kind.name}, seed {seed}",
                              lambda folder: kind(args.build, seed, kills, folder), args.keep)


def run_test(args):
    kinds = [s for s in SCENARIOS if args.scenario == s.name] if args.scenario else SOUND

    def work(item):
        i, kind = item
        kills = args.kills // len(kinds) + (i < args.kills % len(kinds))
        run_scenario(args, kind, args.seed, kills)

    campaign.at_once(args.jobs, work, enumerate(kinds))


def run_campaign(args):
    campaign.run_units(args, ("gapless-userbot", "gapless-dc"), UNIT, lambda number, kills:
                       run_scenario(args, SOUND[number % len(SOUND)],
                                    args.seed + number // len(SOUND), kills))


def main():
    parser = campaign.options(__doc__, "output", "kills over all scenarios")
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--scenario", choices=[s.name for s in SCENARIOS])
    parser.add_argument("--jobs", type=int, default=WORKERS, help="scenarios at a time")
    return campaign.main(parser, tally, torture_cases.test_verdict, run_test, run_campaign)


if __name__ == "__main__":
    sys.exit(main())
