#!/usr/bin/env python3
"""Run every suite in the optimised build and again under ASan+UBSan.

Each test program prints either Check's summary or a line "N passed, N failed"; both are added up.
A program that dies, runs out of time or prints no count is one failure; a line "skipped: what: why"
is shown and counted apart. The last line is "N passed, N failed"; the exit status is 0 only if
nothing failed and something passed.
"""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time

import bounded

# One table of budgets: suite -> seconds one program may take (optimised, sanitised), on 2 cores and
# with others beside it.
BUDGETS = {
    "unit": (120, 180),
    "sim": (180, 240),
    "fault": (150, 240),
    "loop": (90, 180),
    "interop": (120, 180),
    "fuzz": (60, 120),
    "embed": (120, 0),  # 0: not under the sanitisers (it builds programs of its own)
    "lint": (120, 0),
    "bench": (60, 0),
    "demo": (150, 240),
}
# Suites whose programs wait more than they compute (for timers, peers, processes): four at a time,
# beside the others, which compute in the time that these leave.
WAITING = {"demo", "interop", "loop", "embed"}
WAITING_WORKERS = 4
COMPUTING = ["nice", "-n", "5"]
# Programs that look at turns or latencies, and benchmarks: one at a time, and nothing beside.
ALONE = {"loop_client", "loop_env_phases", "demo_userbot", "bench_smoke", "bench_crypto_speed"}
SANITISED_SEED_SCALE = "0.1"

CHECK_LINE = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.M)
SKIPPED_LINE = re.compile(r"^skipped: .+$", re.M)
PLAIN_LINE = re.compile(r"^(\d+) passed, (\d+) failed", re.M)


class Outcome:
    def __init__(self, name, passed, failed, seconds, output):
        self.name, self.passed, self.failed = name, passed, failed
        self.seconds, self.output = seconds, output
        self.skipped = SKIPPED_LINE.findall(output)


def tests_of(build):
    listed = json.loads(subprocess.check_output(["meson", "introspect", "--tests", build]))
    for test in listed:
        suite = [s.split(":")[-1] for s in test["suite"]][0]
        if suite not in BUDGETS:
            sys.exit(f"run_tests: test {test['name']} is in suite '{suite}', which has no budget")
        yield suite, test


def run_one(build, suite, test, sanitised, prefix=()):
    env = dict(os.environ, **test["env"])
    env["GAP_BUILD_DIR"] = os.path.abspath(build)
    env["CK_FORK"] = "no" if sanitised else env.get("CK_FORK", "yes")
    # run_tests keeps the time; Check's own limit of 4 s a case is for machines of another kind.
    env["CK_DEFAULT_TIMEOUT"] = "0"
    if sanitised:
        env["GAP_SEED_SCALE"] = SANITISED_SEED_SCALE
        env["GAP_SANITISED"] = "1"
        env["ASAN_OPTIONS"] = "detect_leaks=1:abort_on_error=0:allocator_may_return_null=1"
        env["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1"
    budget = BUDGETS[suite][sanitised]
    name = f"{test['name']}{' (sanitised)' if sanitised else ''}"
    start = time.monotonic()
    status, output = bounded.run([*prefix, *test["cmd"]], budget, env, test.get("workdir") or build)
    if status is None:
        output += f"\nrun_tests: {name} used up its budget of {budget} s\n"
    seconds = time.monotonic() - start
    passed = failed = 0
    for checks, failures, errors in CHECK_LINE.findall(output):
        bad = int(failures) + int(errors)
        passed, failed = passed + int(checks) - bad, failed + bad
    for ok, bad in PLAIN_LINE.findall(output):
        passed, failed = passed + int(ok), failed + int(bad)
    if status != 0 and failed == 0:
        failed = 1
    if passed + failed == 0:
        output += f"\nrun_tests: {name} reported no test\n"
        failed = 1
    return Outcome(name, passed, failed, seconds, output)


def run_all(builds, wanted, report):
    """Every program of these (build, sanitised). What may take longest comes first, so that nothing
    long is left for the end."""
    jobs = [(build, suite, test, sanitised) for build, sanitised in builds
            for suite, test in tests_of(build)
            if BUDGETS[suite][sanitised] > 0 and (not wanted or suite in wanted)]
    jobs.sort(key=lambda job: -BUDGETS[job[1]][job[3]])
    alone = [job for job in jobs if job[2]["name"].split(":")[-1] in ALONE]
    with concurrent.futures.ThreadPoolExecutor(WAITING_WORKERS) as waiting, \
            concurrent.futures.ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as computing:
        for done in concurrent.futures.as_completed(
                [waiting.submit(run_one, *job) if job[1] in WAITING else
                 computing.submit(run_one, *job, COMPUTING) for job in jobs if job not in alone]):
            report(done.result())
    for job in alone:
        report(run_one(*job))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suites", nargs="*", help="suites to run (default: all)")
    parser.add_argument("--no-sanitised", action="store_true", help="the optimised build only")
    args = parser.parse_args()
    for suite in args.suites:
        if suite not in BUDGETS:
            parser.error(f"no suite '{suite}': {', '.join(BUDGETS)}")
    start = time.monotonic()
    totals = [0, 0]
    skipped = []

    def report(outcome):
        totals[0] += outcome.passed
        totals[1] += outcome.failed
        mark = "ok  " if outcome.failed == 0 else "FAIL"
        print(f"{mark} {outcome.name}: {outcome.passed} passed, {outcome.failed} failed "
              f"[{outcome.seconds:.1f} s]".replace(" passed, ", " good, ").replace(" failed [", " bad ["))
        skipped.extend(outcome.skipped)
        for line in outcome.skipped:
            print("    " + line)
        if outcome.failed:
            print("\n".join("    " + line for line in outcome.output.splitlines()[-60:]))
        sys.stdout.flush()

    builds = [("build", False)] + ([] if args.no_sanitised else [("build-asan", True)])
    run_all(builds, args.suites, report)
    print(f"all suites took {time.monotonic() - start:.0f} s, {len(skipped)} skipped")
    print(f"{totals[0]} passed, {totals[1]} failed")
    return 0 if totals[1] == 0 and totals[0] > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
