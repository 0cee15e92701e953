#!/usr/bin/env python3
"""Break the engine on purpose, one rule at a time, and see that it is noticed.

tests/sim/mutants.txt names the faults: the rule that each one breaks, and the text to be replaced.
Each is applied to a copy of the tree, built, and must be caught by a named case of the engine's
suites or by one of the seeds of gapless-sim. A fault that nothing catches fails the run.

Ends with "N passed, N failed".
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import bounded

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TABLE = os.path.join(HERE, "sim", "mutants.txt")
SEEDS = 5000
SUITE_SECONDS, SEEDS_SECONDS, BUILD_SECONDS = 60, 120, 900
SLOWER = 5  # than without a fault: a suite that takes so many times as long has no end
CHECK_FAILED = re.compile(r"^\S+:\d+:[FE]:[^:]*:([^:]+):", re.M)
SEED_FAILED = re.compile(r"--seed (\d+)")


class Mutant:
    def __init__(self, name, rule, line):
        self.name, self.rule, self.line = name, rule, line
        self.changes = []  # (file, old, new)


def read_table(path):
    """`== NAME: RULE`, then once or more `-- FILE`, the old text, `++`, the new text."""
    mutants, part = [], None
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.startswith("== "):
                name, _, rule = line[3:].strip().partition(": ")
                mutants.append(Mutant(name, rule, number))
                part = None
            elif line.startswith("-- ") and mutants:
                mutants[-1].changes.append([line[3:].strip(), "", ""])
                part = 1
            elif line.rstrip() == "++" and part == 1:
                part = 2
            elif part is not None:
                mutants[-1].changes[-1][part] += line
            elif line.strip() and not line.startswith("#"):
                sys.exit(f"{path}:{number}: a fault begins with '== NAME: RULE'")
    return mutants


def problems_of(mutant, root):
    """Why it can't be applied; [] if it can."""
    found = []
    for path, old, _ in mutant.changes:
        try:
            with open(os.path.join(root, path), encoding="utf-8") as f:
                count = f.read().count(old)
        except OSError as error:
            found.append(str(error))
            continue
        if count != 1:
            found.append(f"{path} holds its text {count} times, not once")
    return found or ([] if mutant.changes else ["it changes nothing"])


def run(command, seconds, cwd):
    """(status, output); the status is None if the time was up."""
    return bounded.run(command, seconds, dict(os.environ, CK_DEFAULT_TIMEOUT="5",
                                              GAP_SEED_SCALE="0.1"), cwd)


class Tree:
    """A copy of the tree, built."""

    def __init__(self, jobs):
        self.root = tempfile.mkdtemp(prefix="gapless-mutants-")
        self.build_dir = os.path.join(self.root, "build")
        self.jobs = jobs
        listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT).decode().split("\0")
        for path in filter(None, listed):
            if os.path.exists(os.path.join(ROOT, path)):
                target = os.path.join(self.root, path)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copy2(os.path.join(ROOT, path), target)

    def setup(self):
        # A fault may leave something unused.
        status, output = run(["meson", "setup", "build", "-Dwerror=false"], 300, self.root)
        if status == 0:
            listed = run(["ninja", "-C", "build", "-t", "targets", "all"], 60, self.root)[1]
            names = re.findall(r"^(tests/sim/sim_(?:engine_\w+|scenarios_\w+|journal\w*)): ", listed, re.M)
            self.suites = sorted(set(names), key=lambda n: ("golden" not in n, "trials" in n, n))
            self.targets = self.suites + ["gapless-sim"]
            status, output = self.build()
        if status != 0:
            sys.exit(f"run_mutants: the tree does not build:\n{output[-4000:]}")
        self.seconds = {suite: self.time_without_fault(suite) for suite in self.suites}

    def time_without_fault(self, suite):
        """How long it may take; what fails as it is would catch anything."""
        start = time.monotonic()
        status, output = run([os.path.join(self.build_dir, suite)], BUILD_SECONDS, self.build_dir)
        if status != 0:
            sys.exit(f"run_mutants: {suite} fails without any fault:\n{output[-4000:]}")
        return max(SUITE_SECONDS, SLOWER * (time.monotonic() - start))

    def build(self):
        return run(["ninja", "-C", "build", "-j", str(self.jobs)] + self.targets, BUILD_SECONDS,
                   self.root)

    def caught_by_suites(self):
        for suite in self.suites:
            status, output = run([os.path.join(self.build_dir, suite)], self.seconds[suite],
                                 self.build_dir)
            if status != 0:
                case = CHECK_FAILED.search(output)
                what = case.group(1) if case else ("no end" if status is None else "a crash")
                return f"{os.path.basename(suite)}: {what}"
        return ""

    def caught_by_seeds(self, seeds):
        first = 1
        while first <= seeds:
            last = min(first * 10 - 1, seeds)
            status, output = run([os.path.join(self.build_dir, "gapless-sim"), "--seeds",
                                  f"{first}..{last}"], SEEDS_SECONDS, self.build_dir)
            if status != 0:
                seed = SEED_FAILED.search(output)
                return f"seed {seed.group(1)}" if seed else "a seed that does not end"
            first = last + 1
        return ""

    def change(self, changes, there):
        for path, old, new in changes:
            full = os.path.join(self.root, path)
            with open(full, encoding="utf-8") as f:
                text = f.read()
            with open(full, "w", encoding="utf-8") as f:
                f.write(text.replace(old, new, 1) if there else text.replace(new, old, 1))

    def put_back(self, paths):
        for path in paths:
            shutil.copyfile(os.path.join(ROOT, path), os.path.join(self.root, path))


def judge(tree, mutant, options):
    """(what caught it or '', problem)"""
    problems = problems_of(mutant, ROOT)
    if problems:
        return "", "; ".join(problems)
    tree.change(mutant.changes, True)
    status, output = tree.build()
    if status != 0:
        return "", "it does not build:\n" + output[-2000:]
    caught = []
    if options.by != "seeds":
        caught.append(tree.caught_by_suites())
    if options.by == "seeds" or options.by == "both" or not any(caught):
        caught.append(tree.caught_by_seeds(options.seeds))
    return ", ".join(filter(None, caught)), ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", help="faults to try (default: all)")
    parser.add_argument("--list", action="store_true", help="name the faults and their rules")
    parser.add_argument("--verify", action="store_true", help="only see that each can be applied")
    parser.add_argument("--by", choices=["suites", "seeds", "both"], default="suites",
                        help="what must catch it: the suites or else the seeds (default), the "
                        "seeds alone, or see whether both do")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many (default %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="of the compiler")
    options = parser.parse_args()

    mutants = read_table(TABLE)
    unknown = set(options.names) - {m.name for m in mutants}
    if unknown:
        sys.exit(f"run_mutants: no fault is called {', '.join(sorted(unknown))}; --list names them")
    mutants = [m for m in mutants if not options.names or m.name in options.names]
    if options.list:
        for m in mutants:
            print(f"{m.name:28} {m.rule}")
        return 0
    failed = 0
    if options.verify:
        for m in mutants:
            for problem in problems_of(m, ROOT):
                print(f"{TABLE}:{m.line}: {m.name}: {problem}")
                failed += 1
        print(f"{len(mutants) - min(failed, len(mutants))} passed, {failed} failed")
        return 1 if failed else 0

    tree = Tree(options.jobs)
    try:
        tree.setup()
        for m in mutants:
            start = time.monotonic()
            by, problem = judge(tree, m, options)
            tree.put_back({path for path, _, _ in m.changes if not problems_of(m, ROOT)})
            failed += not by
            verdict = f"caught by {by}" if by else problem or "NOT CAUGHT"
            print(f"{m.name:28} {verdict} ({time.monotonic() - start:.0f} s)", flush=True)
    finally:
        shutil.rmtree(tree.root, ignore_errors=True)
    print(f"{len(mutants) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
