#!/usr/bin/env python3
"""gapless-sim as a program: the same seed is the same bytes, ranges add up, go on after an
interruption, and end with the right status.

Usage: test_sim_program.py GAPLESS_SIM
"""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

SIM = sys.argv[1]
ROUND = 40 if "GAP_SANITISED" in os.environ else 400


def run(*args):
    done = subprocess.run([SIM, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=100, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def summary(out):
    """The last line without what depends on the machine."""
    return out.splitlines()[-1].split(", processor")[0]


def same_bytes():
    for seed in ("3", "77", "4711"):
        for extra in ([], ["--trace"], ["--decisions"]):
            first, again = run("--seed", seed, *extra), run("--seed", seed, *extra)
            assert first == again, f"seed {seed} {extra}: two runs differ"
            assert first[0] == 0, first
    short, long = run("--seed", "77")[1], run("--seed", "77", "--trace")[1]
    assert long.endswith(short) and len(long) > len(short) * 10, "the verdict comes last"
    assert all(re.match(r"\[ *\d+\] ", line) for line in long.splitlines()[:-1]), "lines of time"


def range_is_its_seeds():
    """A world in the middle of a range is the same as alone."""
    events = 0
    for seed in range(50, 60):
        status, out, _ = run("--seed", str(seed))
        assert status == 0, out
        events += int(re.search(r"events (\d+)", out).group(1))
    status, out, err = run("--seeds", "50..59")
    assert status == 0 and err == "", (status, err)
    assert f"seeds 10, passed 10, failed 0, events {events}," in out, (events, out)


def jobs_change_nothing():
    one = run("--seeds", f"1..{ROUND}")
    three = run("--seeds", f"1..{ROUND}", "--jobs", "3")
    assert one[0] == three[0] == 0, (one, three)
    assert summary(one[1]) == summary(three[1]), (one[1], three[1])
    assert "mean" in one[1] and "max" in one[1], one[1]


def goes_on_after_an_interruption():
    whole = summary(run("--seeds", f"1..{ROUND * 10}", "--jobs", "2")[1])
    with tempfile.TemporaryDirectory() as where:
        command = ["--seeds", f"1..{ROUND * 10}", "--progress", os.path.join(where, "progress")]
        broken = 0
        for wait in (0.15, 0.2, 0.25):
            child = subprocess.Popen([SIM, *command], stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE)
            time.sleep(wait)
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=60)
            if child.returncode == 1:
                broken += 1
                assert b"the same command goes on" in err, err
            else:
                assert child.returncode == 0, (out, err)
        assert broken > 0, "it was never interrupted"
        status, out, _ = run(*command)
        assert status == 0 and summary(out) == whole, (out, whole)
        # Nothing is left to be done.
        start = time.monotonic()
        assert summary(run(*command)[1]) == whole
        assert time.monotonic() - start < 5
        # Of another range it is no progress.
        status, _, err = run("--seeds", "1..7", *command[2:])
        assert status == 1 and "holds no progress of this range" in err, (status, err)
        with open(command[3], "w", encoding="ascii") as f:
            f.write("something else\n")
        assert run(*command)[0] == 1


def wrong_usage():
    for args in ([], ["--seed"], ["--seed", "x"], ["--seed", "-1"], ["--seeds", "5..1"],
                 ["--seeds", "5"], ["--seeds", "1..99999999999999999999999"], ["--nonsense"],
                 ["--seed", "1", "--seeds", "1..2"], ["--seed", "1", "--jobs", "2"],
                 ["--seeds", "1..2", "--trace"], ["--seeds", "1..2", "--jobs", "0"]):
        status, out, err = run(*args)
        assert status == 2 and out == "" and err.startswith("gapless-sim: "), (args, status, err)
        assert err.count("\n") == 1, err
    status, out, err = run("--help")
    assert status == 0 and err == "", err
    for word in ("--seed", "--seeds", "--trace", "--decisions", "--progress", "--jobs", "--script"):
        assert word in out, word


def main():
    passed = failed = 0
    for test in (same_bytes, range_is_its_seeds, jobs_change_nothing,
                 goes_on_after_an_interruption, wrong_usage):
        try:
            test()
            passed += 1
        except AssertionError as problem:
            print(f"{test.__name__}: {problem}")
            failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
