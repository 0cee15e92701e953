#!/usr/bin/env python3
"""What a test has started ends with it, also when it used up its budget.

Ends with "N passed, N failed".
"""
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import run_tests

BUDGET_S, PATIENCE_S = 10, 30
# A child, one with a session of its own, and one whose parent has ended; then the words to end with.
STARTS = """
exec 3>"$1"
sleep 600 QUIET 3>&- & echo $! >&3
setsid sleep 600 >/dev/null 2>&1 3>&- & echo $! >&3
(setsid sleep 600 >/dev/null 2>&1 3>&- & echo $! >&3)
echo "3 passed, 0 failed"
"""
LATE = STARTS.replace("QUIET", "") + "sleep 600"
CRASHED = STARTS.replace("QUIET", ">/dev/null 2>&1") + "kill -SEGV $$"

passed = failed = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("budget: " + what)


def runs(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_children(name, program):
    """@return what the runner makes of the program."""
    with tempfile.TemporaryDirectory() as folder:
        pids = os.path.join(folder, "pids")
        outcome = run_tests.run_one(folder, "lint", {
            "name": name, "cmd": ["sh", "-c", program, name, pids], "env": {}}, False)
        with open(pids, encoding="ascii") as f:
            started = [int(pid) for pid in f.read().split()]
    end = time.monotonic() + PATIENCE_S
    while any(map(runs, started)) and time.monotonic() < end:
        time.sleep(0.05)
    left = [pid for pid in started if runs(pid)]
    for pid in left:
        os.kill(pid, 9)
    check(len(started) == 3 and not left, f"{name}: of {started} these still run: {left}")
    return outcome


def main():
    run_tests.BUDGETS["lint"] = (BUDGET_S, 0)
    bystander = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
    late = test_children("late", LATE)
    check((late.passed, late.failed) == (3, 1) and "used up its budget of 10 s" in late.output,
          f"late: {late.passed} passed, {late.failed} failed: {late.output}")
    check(late.seconds < BUDGET_S + PATIENCE_S, f"late: ended after {late.seconds} s")
    crashed = test_children("crashed", CRASHED)
    check((crashed.passed, crashed.failed) == (3, 1) and "budget" not in crashed.output,
          f"crashed: {crashed.passed} passed, {crashed.failed} failed: {crashed.output}")
    check(bystander.poll() is None, "what nobody had to end was ended")
    bystander.kill()
    bystander.wait()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
