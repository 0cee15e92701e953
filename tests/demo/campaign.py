"""What campaigns of kills have in common: counting checks, named places to die at, a data centre that
stays, a world that is judged and its record doctored, units of a campaign and those that are done,
the command line."""
import argparse
import collections
import concurrent.futures
import hashlib
import json
import os
import pickle
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SANITISED = os.environ.get("GAP_SANITISED") == "1"
# What a sanitiser or an assertion says when it ends a program.
CRASH = re.compile("AddressSanitizer|LeakSanitizer|runtime error|GAP_ASSERT|assert")


class Tally:
    """Counts checks, and which failpoints were tried and reached. From any thread."""

    def __init__(self, name):
        self.name = name
        self.lock = threading.Lock()
        self.passed = self.failed = 0
        self.tried, self.hit = collections.Counter(), collections.Counter()

    def check(self, ok, what):
        with self.lock:
            if ok:
                self.passed += 1
            else:
                self.failed += 1
                print(f"{self.name}: {what}", flush=True)
        return ok

    def add_points(self, tried, hit):
        with self.lock:
            self.tried.update(tried)
            self.hit.update(hit)

    def finish(self):
        """@return the exit status."""
        if self.tried:
            missed = sorted(set(self.tried) - set(self.hit))
            tried, hit = sum(self.tried.values()), sum(self.hit.values())
            self.check(hit > tried / 4,
                       f"of {tried} lives with a failpoint only {hit} reached it")
            print(f"failpoints reached: {len(self.hit)} of {len(self.tried)}; not: "
                  f"{', '.join(missed) or 'none'}")
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0


# --- failpoints -----------------------------------------------------------------------------

def failpoints(program):
    """(points to die at, those of them that can fail instead); none if the program has none."""
    with open(program, "rb") as f:
        code = f.read()
    if b"GAPLESS_FAILPOINT" not in code:
        return [], []
    names, fail = set(), set()
    for folder in ("src", "loops"):
        for directory, _, files in os.walk(os.path.join(ROOT, folder)):
            for name in (n for n in files if n.endswith(".c")):
                with open(os.path.join(directory, name), encoding="utf-8") as f:
                    for can_fail, point in re.findall(r'\bGAP_FAILPOINT(_FAILS)?\("([^"]+)"\)',
                                                      f.read()):
                        names.add(point)
                        if can_fail:
                            fail.add(point)
    there = sorted(n for n in names if n.encode() + b"\0" in code)
    return there, sorted(fail & set(there))


def sending_points(program):
    """Those that a process passes that has something to send."""
    return [p for p in failpoints(program)[0]
            if p.startswith(("outbox.", "store.commit", "sqlite.commit"))]


def environment(point="", count=1, deed="kill"):
    """For a process that dies, or fails, when it has come to that point so many times."""
    env = dict(os.environ)
    env.pop("GAPLESS_FAILPOINT", None)
    if point:
        env["GAPLESS_FAILPOINT"] = f"{point}:{count}:{deed}"
    return env


def in_turn(points, rng):
    """Every point gets its turn before one gets a second."""
    while points:
        order = list(points)
        rng.shuffle(order)
        yield from order


# --- processes ------------------------------------------------------------------------------

def now_us():
    return time.time_ns() // 1000


def until(process, seconds, done=lambda: False):
    """Wait for its end, or for something else; @return false when the time is up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None or done():
            return True
        time.sleep(0.004)
    return False


class Dc:
    """A gapless-dc, ended by its own pid."""

    def __init__(self, build, folder, args):
        self.key = os.path.join(folder, "key.pem")
        self.ledger = os.path.join(folder, "ledger")
        self.process = subprocess.Popen(
            [os.path.join(build, "gapless-dc"), "--pubkey-out", self.key, "--ledger", self.ledger]
            + args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.port = json.loads(self.process.stdout.readline())["port"]
        self.done = threading.Event()  # all traffic is out
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            if json.loads(line).get("event") == "done":
                self.done.set()

    def lines(self):
        return read_ledger(self.ledger)

    def size(self):
        return os.path.getsize(self.ledger) if os.path.exists(self.ledger) else 0

    def stop(self):
        self.process.terminate()
        status = self.process.wait(60)
        self.reader.join(10)
        self.process.stdout.close()
        return status


def read_ledger(path):
    """Whole lines."""
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.endswith("\n")]


# --- worlds ---------------------------------------------------------------------------------

class World:
    """One data centre, one account, many short lives, and what is made of them in the end. A kind
    of world says how it runs, what its record is and what is particular about it."""

    doctors = ()  # each spoils one thing of a record, and says what must be found then

    def __init__(self, tally, kind, title, seed, folder):
        self.tally, self.kind, self.title, self.seed, self.folder = tally, kind, title, seed, folder
        self.rng = random.Random(f"{kind}:{seed}")
        self.state = os.path.join(folder, "state.db")
        self.complaints = []
        self.tried, self.hit = [], []  # failpoints

    def verdict(self):
        record = self.record()
        judged = record.judge()
        for _, text in judged.problems[:12]:
            print(f"{self.tally.name}: {self.title}: {text}", flush=True)
        self.tally.check(not judged.problems,
                         f"{self.title}: {len(judged.problems)} problems: "
                         f"{collections.Counter(w for w, _ in judged.problems)}")
        self.tally.check(not self.complaints, f"{self.title}: {self.complaints[:3]}")
        self.tally.add_points(self.tried, self.hit)
        self.check_more(record, judged)
        if not judged.problems:
            idle = test_doctors(record, self.doctors, self.rng, self.tally.check, self.title)
            print(f"{self.title}: doctors without work: {', '.join(idle) or 'none'}")
        return judged

    def keep(self, folder):
        """What a verdict needs, so that it can be had again."""
        target = os.path.join(folder, f"{self.kind}-{self.seed}")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.folder, target)
        with open(os.path.join(target, "record.pickle"), "wb") as f:
            pickle.dump(self.record(), f)


def test_doctors(record, doctors, rng, check, name):
    """Spoil a good record in each way. @return the doctors that found nothing to spoil."""
    idle = []
    for doctor in doctors:
        spoilt = record.copy()
        what = doctor(spoilt, rng)
        if what is None:
            idle.append(doctor.__name__)
            continue
        found = {w for w, _ in spoilt.judge().problems}
        check(what in found, f"{name}: {doctor.__name__}: not found out: {found}")
    return idle


def run_world(tally, title, make, keep):
    """From its beginning to its verdict. A failure of the machinery is one of this world, not the
    end of the others. @return true if nothing was wrong."""
    folder = tempfile.mkdtemp(prefix=f"{tally.name}-torture-")
    before, start = tally.failed, time.monotonic()
    try:
        world = make(folder)
        try:
            try:
                world.run()
            finally:
                status = world.dc.stop()
            tally.check(status == 0, f"{title}: gapless-dc ended with {status}")
            judged = world.verdict()
            print(f"{title}: {world.summary(judged)} [{time.monotonic() - start:.0f} s]",
                  flush=True)
        finally:
            if keep:
                world.keep(keep)
    except Exception:  # said, and counted
        tally.check(False, f"{title}: {traceback.format_exc()}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return tally.failed == before


def rejudge(folder):
    """@return the exit status."""
    with open(os.path.join(folder, "record.pickle"), "rb") as f:
        judged = pickle.load(f).judge()
    for _, text in judged.problems:
        print(text)
    print(f"{len(judged.problems)} problems")
    return 1 if judged.problems else 0


# --- campaigns ------------------------------------------------------------------------------

class Progress:
    """Units that are done already, of these very programs: a campaign can be broken off."""

    def __init__(self, path, build, programs, seed):
        self.path = path
        self.lock = threading.Lock()
        digest = hashlib.sha256()
        for name in programs:
            with open(os.path.join(build, name), "rb") as f:
                digest.update(f.read())
        self.state = {"seed": seed, "programs": digest.hexdigest(), "done": []}
        try:
            with open(path, encoding="utf-8") as f:
                found = json.load(f)
            if {**found, "done": []} == self.state:
                self.state = found
        except (OSError, ValueError):
            pass

    def units(self, count, shard):
        """Those that are left of the `count` units, every Nth from the Ith of a shard I/N."""
        index, shards = (int(n) for n in shard.split("/"))
        return [n for n in range(count) if n % shards == index and n not in self.state["done"]]

    def add(self, unit):
        with self.lock:
            self.state["done"].append(unit)
            if self.path:
                with open(self.path + ".new", "w", encoding="utf-8") as f:
                    json.dump(self.state, f)
                os.replace(self.path + ".new", self.path)


def run_units(args, programs, size, unit):
    """What is left of a campaign, some at a time: `unit(number, count)` runs so much of it, and
    returns whether nothing was wrong."""
    progress = Progress(args.progress, args.build, programs, args.seed)

    def work(number):
        if unit(number, min(size, args.campaign - number * size)):
            progress.add(number)

    at_once(args.jobs, work, progress.units(-(-args.campaign // size), args.shard))


def at_once(jobs, work, items):
    if jobs == 1:
        for item in items:
            work(item)
    else:
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            list(pool.map(work, items))


# --- the command line -----------------------------------------------------------------------

def options(doc, kept, of):
    """Those that all harnesses have."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("build", nargs="?")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help=f"copy ledger, {kept} and state here")
    parser.add_argument("--campaign", type=int, metavar="N", help=f"N {of}")
    parser.add_argument("--shard", default="0/1", metavar="I/N", help="every Nth unit from the Ith")
    parser.add_argument("--progress", default="", help="file that remembers what is done")
    parser.add_argument("--rejudge", metavar="DIR", help="judge again what --keep has kept")
    parser.set_defaults(jobs=1)
    return parser


def main(parser, tally, test_verdict, test, campaign):
    """See that the verdict condemns what it has to; then one test, or a campaign, with the
    arguments. @return the exit status."""
    args = parser.parse_args()
    if args.rejudge:
        return rejudge(args.rejudge)
    if args.build is None:
        parser.error("which build?")
    args.build = os.path.abspath(args.build)
    test_verdict(tally.check)
    (campaign if args.campaign else test)(args)
    return tally.finish()
