#!/usr/bin/env python3
"""What is too slow for every change: other compilers, analysers, memory checkers, campaigns.

Each step is one test; `--list` names them, names on the command line choose. Needs the programs
in build/, which `./run check` makes first. Ends with "N passed, N failed".
"""
import argparse
import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys
import time

import bounded

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
JOBS = "2"
FUZZ_SECONDS = 60
WORLDS = "100001..150000"
KILLS, POSTS, RUNS, SEED, SHARD = 5000, 5000, 1000, 1, "0/1"
DEMO_SEEDS = range(1, 21)
INTEROP_SEEDS = range(1, 21)
TRANSPORTS = ("full", "abridged", "intermediate", "obfuscated")
VALGRIND = ["valgrind", "-q", "--error-exitcode=99", "--leak-check=full",
            "--errors-for-leak-kinds=definite,possible"]


def run(command, timeout, env=None, cwd=ROOT):
    """(status, output); the status is None if the time was up."""
    status, output = bounded.run(command, timeout, dict(os.environ, **(env or {})), cwd)
    return status, output if status is not None else output + f"\ntook over {timeout} s"


def setup(directory, options, env=None):
    path = os.path.join(ROOT, directory)
    if not os.path.exists(os.path.join(path, "build.ninja")):
        status, output = run(["meson", "setup", directory] + options, 300, env)
        if status != 0:
            return output
    status, output = run(["ninja", "-C", directory, "-j", JOBS], 1800)
    return "" if status == 0 else output


def tests_in(directory, suites):
    listed = json.loads(subprocess.check_output(["meson", "introspect", "--tests", directory],
                                                cwd=ROOT))
    for test in listed:
        if any(s.split(":")[-1] in suites for s in test["suite"]):
            yield test


def run_test(directory, test, timeout, env=None, wrapper=()):
    """Run one of a build's tests where it expects to be run."""
    where = os.path.join(ROOT, directory)
    full = dict(test["env"], GAP_BUILD_DIR=where, CK_DEFAULT_TIMEOUT="0", **(env or {}))
    return run(list(wrapper) + test["cmd"], timeout, full, test.get("workdir") or where)


def is_program_of(directory, test):
    return os.path.abspath(test["cmd"][0]).startswith(os.path.join(ROOT, directory))


def step_clang():
    """clang with the same warnings as errors, and the unit tests it built."""
    problem = setup("build-clang", ["--buildtype=release"], {"CC": "clang"})
    if problem:
        return problem
    for test in tests_in("build-clang", {"unit", "sim"}):
        status, output = run_test("build-clang", test, 300)
        if status != 0:
            return f"{test['name']}:\n{output}"
    return ""


def step_without_sqlite():
    """built with -Dsqlite=disabled: whatever needs no database works."""
    problem = setup("build-without-sqlite", ["--buildtype=debug", "-Dsqlite=disabled"])
    if problem:
        return problem
    for test in tests_in("build-without-sqlite", {"unit", "fault", "sim", "loop", "demo", "lint"}):
        status, output = run_test("build-without-sqlite", test, 600, {"GAP_SEED_SCALE": "0.1"})
        if status != 0:
            return f"{test['name']}:\n{output}"
    return ""


def step_valgrind():
    """unit tests under memcheck: no error, no leak."""
    problem = setup("build-valgrind", ["--buildtype=debugoptimized"])
    if problem:
        return problem
    for test in tests_in("build-valgrind", {"unit"}):
        if not is_program_of("build-valgrind", test):
            continue
        env = {"CK_FORK": "no", "GAP_SEED_SCALE": "0.02", "GAP_SANITISED": "1"}
        status, output = run_test("build-valgrind", test, 1800, env, VALGRIND)
        if status != 0:
            return f"{test['name']}:\n{output}"
    return ""


def sources(folders=("src", "loops", "bench")):
    for folder in folders:
        for directory, _, names in os.walk(os.path.join(ROOT, folder)):
            for name in sorted(names):
                if name.endswith(".c"):
                    yield os.path.relpath(os.path.join(directory, name), ROOT)


def step_clang_tidy():
    """clang-tidy with .clang-tidy's checks: clean, or a reason beside each suppression."""
    problem = setup("build-clang", ["--buildtype=release"], {"CC": "clang"})
    if problem:
        return problem
    bad = []
    for path in sources():
        status, output = run(["clang-tidy", "-quiet", "-p", "build-clang", path], 600)
        if status != 0 or re.search(r"(warning|error):", output):
            bad.append(output)
    return "\n".join(bad)


def step_cppcheck():
    """cppcheck: clean, or a reason beside each suppression."""
    # Without their definitions the loops of <sys/queue.h> look like uses of unset pointers.
    found = subprocess.run(["gcc", "-xc", "-E", "-"], input=b"#include <sys/queue.h>\n",
                           stdout=subprocess.PIPE, check=True).stdout.decode()
    queue = re.search(r'"(\S+/sys/queue\.h)"', found).group(1)
    status, output = run(
        ["cppcheck", "--quiet", "--include=" + queue, "--std=c11",
         "--enable=warning,performance,portability", "--inline-suppr",
         "--error-exitcode=1", "-j", JOBS, "-Isrc", "-Iinclude", "-I.", "-Ibuild/include",
         "-D__BYTE_ORDER__=1", "-D__ORDER_LITTLE_ENDIAN__=1",
         "--suppress=missingIncludeSystem", "src", "loops", "bench"], 1800)
    return "" if status == 0 else output


def step_fuzz():
    """each libFuzzer target for a minute."""
    problem = setup("build-fuzz", ["--buildtype=debugoptimized", "-Dfuzz=true",
                                   "-Db_sanitize=address,undefined", "-Db_lundef=false",
                                   "-Ddefault_library=static"], {"CC": "clang"})
    if problem:
        return problem
    folder = os.path.join(ROOT, "build-fuzz", "tests", "fuzz")
    targets = [n for n in sorted(os.listdir(folder))
               if n.startswith("fuzz_") and os.access(os.path.join(folder, n), os.X_OK)
               and os.path.isfile(os.path.join(folder, n))]
    if not targets:
        return "no fuzz target was built"
    for name in targets:
        corpus = os.path.join(ROOT, "tests", "fuzz", "corpus", name[len("fuzz_"):])
        grown = os.path.join(folder, "grown_" + name)
        os.makedirs(grown, exist_ok=True)
        command = [os.path.join(folder, name), f"-max_total_time={FUZZ_SECONDS}", "-timeout=10",
                   "-rss_limit_mb=2048", "-verbosity=0", grown]
        if os.path.isdir(corpus):
            command.append(corpus)
        status, output = run(command, FUZZ_SECONDS + 120, cwd=folder)
        if status != 0:
            return f"{name}:\n{output}"
    return ""


def step_demo_seeds():
    """the demo with seeds 1 to 20 in a row."""
    lines = []
    for seed in DEMO_SEEDS:
        status, output = run(["build/gapless-userbot", "--embedded", "--seed", str(seed)], 120)
        lines.append(f"seed {seed}: {output.strip().splitlines()[-1] if output.strip() else ''}")
        if status != 0:
            return "\n".join(lines) + "\n" + output
    print("\n".join("    " + line for line in lines))
    return ""


def step_interop():
    """Telethon over each of its transports, 20 seeds with 1000 messages over 20 channels each."""
    seeds = [word for seed in INTEROP_SEEDS for word in ("--seed", str(seed))]

    def over(transport):
        return run(["/usr/bin/python3", "tests/interop/telethon_client.py", "build/gapless-dc",
                    "--events", "1000", "--channels", "20", "--rate", "120",
                    "--transport", transport] + seeds, 3600)

    with concurrent.futures.ThreadPoolExecutor(len(TRANSPORTS)) as pool:
        outcomes = list(pool.map(over, TRANSPORTS))
    return "".join(output for status, output in outcomes if status != 0)


def step_campaign():
    """the virtual worlds and random round trips with twenty times as many seeds."""
    for test in tests_in("build", {"sim", "unit", "fault"}):
        status, output = run_test("build", test, 3600, {"GAP_SEED_SCALE": "20"})
        if status != 0:
            return f"{shlex.join(test['cmd'])}:\n{output}"
    return ""


def step_worlds():
    """50,000 virtual worlds from seeds that the test suites do not run; goes on where it stopped."""
    problem = setup("build", [])
    if problem:
        return problem
    status, output = run([os.path.join(ROOT, "build/gapless-sim"), "--seeds", WORLDS,
                          "--jobs", JOBS, "--progress", "build/worlds.progress"], 3600)
    if status in (0, 3):
        os.remove(os.path.join(ROOT, "build/worlds.progress"))
    print("    " + output.splitlines()[-1] if output else "")
    return "" if status == 0 else output


def step_mutants():
    """each fault of tests/sim/mutants.txt is noticed by a named case or a seed."""
    status, output = run([sys.executable, os.path.join(HERE, "run_mutants.py"), "--jobs", JOBS],
                         7200)
    return "" if status == 0 else output


def step_swarm():
    """a thousand connections to gapless-dc, and 50,000 messages a second for half a minute."""
    for test in tests_in("build", {"loop"}):
        if test["name"] != "loop_dc_swarm":
            continue
        status, output = run(test["cmd"], 600, dict(test["env"], GAP_SWARM="1000,50000,30",
                                                    CK_DEFAULT_TIMEOUT="0"))
        print("\n".join("    " + line for line in output.splitlines() if "messages/s" in line))
        return "" if status == 0 else output
    return "there is no test loop_dc_swarm"


def setup_failpoints():
    return setup("build-failpoints", ["--buildtype=release", "-Dfailpoints=true"])


def torture(timeout, harness, *args):
    return run([sys.executable, f"tests/demo/{harness}.py", "build-failpoints", "--seed",
                str(SEED), *args], timeout)


def kill_campaign(harness, count, lines=2):
    """Shows its last lines; goes on where it stopped."""
    problem = setup_failpoints()
    if problem:
        return problem
    progress = f"build-failpoints/{harness}-{SHARD.replace('/', '-')}.json"
    status, output = torture(6 * 3600, harness, "--campaign", str(count), "--shard", SHARD,
                             "--progress", progress)
    print("\n".join("    " + line for line in output.splitlines()[-lines:]))
    return "" if status == 0 else output


def step_torture():
    """the userbot killed --kills times (5000), at random and at named points; goes on where it stopped."""
    # A campaign that could not find anything would prove nothing.
    problem = setup_failpoints()
    if not problem:
        status, output = torture(300, "torture", "--scenario", "forgetful", "--kills", "17")
        problem = "" if status == 0 else output
    return problem or kill_campaign("torture", KILLS)


def step_outbox():
    """--posts (5000) written and sent by processes that are killed; each is there once."""
    return kill_campaign("outbox_torture", POSTS, 6)


def step_publish():
    """a folder published by --runs (1000) that are killed while it changes; each note is there once."""
    return kill_campaign("publish_torture", RUNS)


STEPS = {name[len("step_"):]: function for name, function in list(globals().items())
         if name.startswith("step_")}


def main():
    global JOBS, KILLS, POSTS, RUNS, SEED, SHARD
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("steps", nargs="*", help="steps to run (default: all)")
    parser.add_argument("--jobs", default=JOBS)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--kills", type=int, default=KILLS, help="of the step torture")
    parser.add_argument("--posts", type=int, default=POSTS, help="of the step outbox")
    parser.add_argument("--runs", type=int, default=RUNS, help="of the step publish")
    parser.add_argument("--seed", type=int, default=SEED,
                        help="of the steps torture, outbox and publish")
    parser.add_argument("--shard", default=SHARD, metavar="I/N",
                        help="of the steps torture, outbox and publish")
    args = parser.parse_args()
    JOBS, KILLS, POSTS, RUNS = args.jobs, args.kills, args.posts, args.runs
    SEED, SHARD = args.seed, args.shard
    if args.list:
        for name, function in STEPS.items():
            print(f"{name}: {function.__doc__}")
        return 0
    for step in args.steps:
        if step not in STEPS:
            parser.error(f"no step '{step}': {', '.join(STEPS)}")
    if not os.path.exists(os.path.join(ROOT, "build", "build.ninja")):
        parser.error("there is no build/: `./run check` makes it first, and so does `./run build`")
    passed = failed = 0
    for name in args.steps or STEPS:
        start = time.monotonic()
        print(f"{name}: {STEPS[name].__doc__}", flush=True)
        problem = STEPS[name]()
        print(f"    {'ok' if not problem else 'FAILED'} [{time.monotonic() - start:.0f} s]")
        if problem:
            failed += 1
            print("\n".join("    " + line for line in problem.splitlines()[-60:]))
        else:
            passed += 1
        sys.stdout.flush()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
