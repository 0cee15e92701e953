#!/usr/bin/env python3
"""The rules of the house that a program can check; one test per rule and file.

Usage: lint.py SOURCE_ROOT BUILD_ROOT. Prints what is wrong and ends with "N passed, N failed".
"""
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT, BUILD = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])

FUNCTION_LINES, FILE_LINES, COLUMNS = 70, 800, 100

# Who may include whom: folder -> folders whose headers it may name. Arrows point down only.
LAYERS = {
    "src/base": set(),
    "src/env": {"src/base"},
    "src/crypto": {"src/base"},
    "src/tl": {"src/base"},
    "src/mtproto": {"src/base", "src/tl", "src/crypto"},
    "src/sequence": {"src/base", "src/tl"},
    "src/runner": {"src/base", "src/tl", "src/crypto", "src/sequence"},
    "src/outbox": {"src/base", "src/tl", "src/crypto", "src/store"},
    "src/uv": {"src/base", "src/env"},
    "src/store": {"src/base", "src/env", "src/crypto"},
    "loops": {"src/base", "src/tl", "src/crypto", "src/env", "src/mtproto", "src/sequence",
              "src/runner", "src/store", "src/outbox"},
    "src/client": {"src/base", "src/tl", "src/crypto", "src/env", "src/mtproto", "src/sequence",
                   "src/runner", "src/store", "src/outbox", "loops", "src/uv"},
    "src/dc": {"src/base", "src/tl", "src/crypto", "src/env"},
}
# Single files that may reach further, each with its reason.
LAYER_EXCEPTIONS = {
    "src/dc/main.c": {"src/uv"},  # the program, not the model: it runs the server on libuv
}
LIBRARY = [d for d in LAYERS if d != "src/dc"]
UV_ALLOWED = ("src/uv/", "include/gapless/uv.h", "src/userbot/", "src/dc/main.c")

# Calls that have one home or none: pattern -> (files that may, why not elsewhere).
BANNED = {
    r"\b(time|gettimeofday|clock_gettime|clock|uv_now|uv_hrtime)\s*\(": (
        ("src/uv/", "src/userbot/"), "time comes from src/env only"),
    r"\b(malloc|calloc|realloc|free|strdup|strndup|asprintf)\s*\(": (
        ("src/base/alloc.c", "src/uv/", "src/userbot/", "src/dc/main.c"),
        "memory comes from the runtime's allocator"),
    r"\b(printf|fprintf|puts|putchar|perror)\s*\(": (
        ("src/base/error.c", "src/userbot/", "src/dc/main.c", "src/dc/options.c"),
        "the library never prints"),
    r"\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|rand|srand|system|alloca|atoi|atol)\s*\(": (
        (), "unsafe or unwanted"),
    r"\bAES_ige_encrypt\b": ((), "deprecated and six times slower"),
    r"(?<![_A-Z])assert\s*\(": ((), "GAP_ASSERT is on in release"),
    r"\b(TODO|FIXME|XXX|HACK)\b": ((), "finish it"),
}
TOP_LEVEL = {"meson.build", "meson_options.txt", "src", "include", "loops", "tests", "bench",
             "README.md", "ARCHITECTURE.md", "LICENSE", "run"}

passed = 0
failures = []


def check(ok, message):
    global passed
    if ok:
        passed += 1
    else:
        failures.append(message)


def tracked():
    try:
        out = subprocess.check_output(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"],
                                      stderr=subprocess.DEVNULL)
        files = out.decode().split("\n")
    except (OSError, subprocess.CalledProcessError):
        files = [os.path.relpath(os.path.join(d, f), ROOT)
                 for d, _, names in os.walk(ROOT) for f in names]
        files = [f for f in files if not f.startswith((".git/", "build"))]
    return sorted(f for f in files if f and os.path.isfile(os.path.join(ROOT, f)))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def strip_comments_and_strings(text):
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.S)


def folder_of(path):
    best = ""
    for folder in LAYERS:
        if path.startswith(folder + "/") and len(folder) > len(best):
            best = folder
    return best


def lint_layers(path, text):
    folder = folder_of(path)
    if not folder:
        return
    allowed = LAYERS[folder] | {folder} | LAYER_EXCEPTIONS.get(path, set())
    bad = []
    for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', text, re.M):
        target = name if name.startswith("loops/") else "src/" + name
        if not any(target.startswith(a + "/") for a in allowed):
            bad.append(name)
    check(not bad, f"{path}: includes {', '.join(bad)}, which lies above or beside {folder}")
    if not path.startswith(UV_ALLOWED):
        check("<uv.h>" not in text, f"{path}: includes <uv.h>; src/uv is its only home")


def lint_banned(path, code):
    if not path.startswith(("src/", "loops/", "include/")):
        return
    for pattern, (homes, why) in BANNED.items():
        if path.startswith(homes):
            continue
        hits = [code.count("\n", 0, m.start()) + 1 for m in re.finditer(pattern, code)]
        check(not hits, f"{path}:{hits[0] if hits else 0}: '{pattern}' is banned here: {why}")


def function_lengths(code):
    """(name, first line, lines) of every function body that opens in column 0."""
    lines = code.split("\n")
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{" and start is None:
            start = number
        elif line.startswith("}") and start is not None:
            head = " ".join(lines[max(0, start - 6):start - 1])
            names = re.findall(r"(\w+)\s*\(", head)
            yield (names[-1] if names else "?"), start, number - start + 1
            start = None


def lint_lengths(path, text, code, exceptions):
    lines = text.count("\n")
    limit = exceptions.get(path, FILE_LINES)
    check(lines <= limit, f"{path}: {lines} lines; the limit is {limit}")
    if path in exceptions:
        check(lines > FILE_LINES and lines == limit,
              f"{path}: {lines} lines; tests/lint/exceptions.txt says {limit}: lower or remove it")
    wide = [n for n, line in enumerate(text.split("\n"), 1) if len(line) > COLUMNS]
    check(not wide, f"{path}:{wide[0] if wide else 0}: over {COLUMNS} columns")
    for name, line, length in function_lengths(code):
        key = f"{path}:{name}"
        limit = exceptions.get(key, FUNCTION_LINES)
        check(length <= limit, f"{path}:{line}: {name} has {length} lines; the limit is {limit}")


def lint_opening(path, text):
    if path.startswith(("src/", "loops/")) and path.endswith(".c"):
        check(text.startswith("/*"), f"{path}: does not open with a comment of purpose")


def lint_doc_blocks(path, text):
    for match in re.finditer(r"^GAP_API\b[^;{]*", text, re.M):
        before = text[:match.start()].rstrip()
        name = re.findall(r"(\w+)\s*\(", match.group(0))
        check(before.endswith("*/") and "/**" in before[before.rfind("/*"):][:3],
              f"{path}: {name[0] if name else '?'} has no doc block")


def lint_headers_alone(paths):
    generated = os.path.join(BUILD, "include")
    flags = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I" + generated,
             "-I" + os.path.join(ROOT, "include")]
    if os.path.isdir(os.path.join(generated, "gapless")):
        paths = paths + ["include/gapless/" + n
                         for n in sorted(os.listdir(os.path.join(generated, "gapless")))
                         if n.endswith(".h")]
    for path in sorted(set(paths)):
        name = path[len("include/"):]
        for compiler, language in ((["gcc", "-std=c11"], "c"), (["g++", "-std=c++17"], "c++")):
            with tempfile.NamedTemporaryFile("w", suffix=".c" if language == "c" else ".cc") as f:
                f.write(f"#include <{name}>\n")
                f.flush()
                done = subprocess.run(compiler + flags + [f.name], stderr=subprocess.PIPE,
                                      check=False)
            check(done.returncode == 0,
                  f"{path} does not compile alone as {language}:\n{done.stderr.decode()[:600]}")


def lint_tests(paths):
    builds = "\n".join(read(p) for p in paths if p.startswith("tests/")
                       and p.endswith("meson.build"))
    for path in paths:
        name = os.path.basename(path)
        if not (path.startswith("tests/") and re.match(r"(test|fuzz)_.*\.(c|py|sh)$", name)):
            continue
        stem = re.sub(r"^(test|fuzz)_", "", name.rsplit(".", 1)[0])
        check(name in builds or f"'{stem}'" in builds,
              f"{path}: not in any meson.build: it never runs")
        text = read(path)
        for test in re.findall(r"^START_TEST\((\w+)\)", text, re.M):
            check(re.search(r"tcase_add_\w*test\w*\([^;]*\b" + test + r"\b", text) is not None
                  or re.search(r"\b" + test + r"\b(?!\))", text.replace(f"START_TEST({test})", ""))
                  is not None, f"{path}: {test} is never registered")


# Every scenario that the engine is held to, alone or with a journal and lanes of handlers.
SCENARIOS = [f"S{n:02}" for n in range(1, 85)] + [f"M{n}" for n in range(1, 26)]
# What delivery to handlers is held to besides.
DELIVERY = ([f"D-{c}" for c in "abcdefghijklm"] + [f"E-{c}" for c in "abcd"]
            + [f"F-{c}" for c in "abcdefgh"])
# What may stand in an outbox that nobody should have written.
BAD_INPUT = [f"B-{c}" for c in "abcdefghijk"]


def named_tests(paths, catalogue, ids):
    """A line for every id. @return [(where, id, path of a test program, test, comment above it)]."""
    tests, listed = [], set()
    if catalogue not in paths:
        check(False, f"{catalogue}: is missing")
        return tests
    for number, line in enumerate(read(catalogue).split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        where = f"{catalogue}:{number}"
        parts = [part.strip() for part in line.split("|")]
        check(len(parts) == 3 and all(parts), f"{where}: not 'id | what | program test, ...'")
        if len(parts) != 3:
            continue
        check(parts[0] not in listed, f"{where}: {parts[0]} a second time")
        listed.add(parts[0])
        for program, test in (named.split() for named in parts[2].split(",")):
            folder, _, stem = ("sim/" + program if "/" not in program else program).rpartition("/")
            path = f"tests/{folder}/test_{stem}.c"
            found = path in paths and re.search(
                r"((?:/\*(?:(?!\*/).)*\*/\n)?)START_TEST\(" + re.escape(test) + r"\)",
                read(path), re.S)
            check(bool(found), f"{where}: {path} has no test {test}")
            if found:
                tests.append((parts[0], path, test, found.group(1)))
    check(listed == set(ids), f"{catalogue}: not exactly these: {sorted(listed ^ set(ids))}")
    return tests


def lint_scenarios(paths):
    """tests/sim/scenarios.txt names a test for every scenario; the test carries the scenario's id,
    in its name or in the comment right above it, and is there. So do delivery.txt and
    bad_input.txt, but for the ids."""
    for scenario, path, test, comment in named_tests(paths, "tests/sim/scenarios.txt", SCENARIOS):
        token = f"{scenario[0].lower()}{int(scenario[1:]):02}"
        check(token in test.split("_") or re.search(rf"\b{scenario}\b", comment) is not None,
              f"{path}: {test} does not carry {scenario}, which it shows")
    named_tests(paths, "tests/sim/delivery.txt", DELIVERY)
    named_tests(paths, "tests/sim/bad_input.txt", BAD_INPUT)


def lint_symbols(paths):
    library = os.path.join(BUILD, "libgapless.so")
    if not os.path.exists(library):
        check(False, f"{library} is not there")
        return
    out = subprocess.check_output(["nm", "-D", "--defined-only", library]).decode()
    symbols = {line.split()[-1] for line in out.splitlines() if line}
    headers = "\n".join(read(p) for p in paths if p.startswith("include/"))
    declared = set()
    for match in re.finditer(r"^GAP_API\b[^;{]*;", headers, re.M):
        names = re.findall(r"(\w+)\s*\(", re.sub(r"GAP_\w+\s*\([^)]*\)", "", match.group(0)))
        declared.update(names[:1])
    extra = sorted(s for s in symbols if s not in declared)
    check(not extra, f"libgapless exports what no public header declares: {', '.join(extra[:8])}")
    missing = sorted(declared - symbols)
    check(not missing, f"declared GAP_API but not exported: {', '.join(missing[:8])}")


def lint_failpoints(paths):
    """A build without failpoints contains none: no name of one, and not their variable."""
    options = json.loads(subprocess.check_output(
        ["meson", "introspect", "--buildoptions", BUILD]))
    wanted = next(o["value"] for o in options if o["name"] == "failpoints")
    names = {b"GAPLESS_FAILPOINT"}
    for path in paths:
        if path.startswith(("src/", "loops/")) and path.endswith(".c"):
            found = re.findall(r'\bGAP_FAILPOINT(?:_FAILS)?\("([^"]+)"\)', read(path))
            names.update(name.encode() for name in found)
            bad = [n for n in found if not re.fullmatch(r"[a-z]+(\.[a-z]+){1,2}", n)]
            check(not bad, f"{path}: failpoints are named part.place[.before|after]: {bad}")
    check(len(names) > 1, "there are no failpoints")
    for program in ("libgapless.so", "gapless-userbot", "gapless-bench", "gapless-sim"):
        built = os.path.join(BUILD, program)
        if not os.path.exists(built):
            continue
        with open(built, "rb") as f:
            data = f.read()
        there = sorted(name.decode() for name in names if name + b"\0" in data)
        check(wanted or not there, f"{built}: contains failpoints: {', '.join(there)}")
        check(not wanted or program != "libgapless.so" or len(there) > len(names) / 2,
              f"{built}: built with failpoints, and contains only {there}")


def exceptions_table():
    path = "tests/lint/exceptions.txt"
    table = {}
    if os.path.exists(os.path.join(ROOT, path)):
        for line in read(path).splitlines():
            if line and not line.startswith("#"):
                key, limit = line.split()[:2]
                table[key] = int(limit)
    return table


def main():
    paths = tracked()
    exceptions = exceptions_table()
    for top in sorted({p.split("/")[0] for p in paths}):
        check(top in TOP_LEVEL or top.startswith("."), f"{top}: not in the layout")
    for path in paths:
        if path.endswith((".c", ".h", ".py", ".md", ".sh", ".build", ".txt")) or path == "run":
            text = read(path)
            where = [w for w in ("/wor" + "k/", "/far" + "m/") if w in text]
            check(not where, f"{path}: names a path of one machine")
        if not path.endswith((".c", ".h")):
            continue
        code = strip_comments_and_strings(text)
        lint_layers(path, text)
        lint_banned(path, code)
        lint_lengths(path, text, code, exceptions)
        lint_opening(path, text)
        if path.startswith("include/"):
            lint_doc_blocks(path, text)
    lint_headers_alone([p for p in paths if p.startswith("include/") and p.endswith(".h")])
    lint_tests(paths)
    lint_scenarios(paths)
    lint_symbols(paths)
    lint_failpoints(paths)
    for failure in failures:
        print("lint: " + failure)
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
