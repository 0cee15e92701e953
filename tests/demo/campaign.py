"""What campaigns of kills have in common: counting checks, a data centre that stays, named places to
die at, waiting for a process, remembering what is done."""
import collections
import hashlib
import json
import os
import re
import subprocess
import threading
import time

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
                with open(self.path, "w", encoding="utf-8") as f:
                    json.dump(self.state, f)
