#!/usr/bin/env python3
"""ARCHITECTURE.md against the tree: what its map and tables name is there, and every limit of its
table has the value that the code gives it.

Usage: lint_map.py SOURCE_ROOT. Breaks copies of the page first, each of which must be noticed.
Prints what is wrong and ends with "N passed, N failed".
"""
import glob
import os
import re
import sys

ROOT = os.path.abspath(sys.argv[1])
PAGE = "ARCHITECTURE.md"
PLACES = ("", "loops/", "src/", "include/")  # where a file lies that is named without its folder
UNITS = {"us": 1, "ms": 10**3, "s": 10**6, "min": 60 * 10**6, "h": 3600 * 10**6,
         "d": 86400 * 10**6, "KiB": 2**10, "MiB": 2**20, "Mi": 2**20, "": 1}
# What a constant counts in is the end of its name.
NAME_UNITS = {"US": "us", "MS": "ms", "S": "s", "KIB": "KiB"}
VALUE = re.compile(r"(?:, `\w+`)* (\d+(?:,\d{3})*)(?: (us|ms|s|min|h|d|KiB|MiB|Mi)\b)?( - 1)?")
RATE = re.compile(r" (\d+) in (\d+) s, (\d+) at once")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def code():
    """{path: text without comments} of all that the page is about."""
    paths = [p for folder in ("include", "src", "loops")
             for p in glob.glob(os.path.join(ROOT, folder, "**", "*.[ch]"), recursive=True)]
    texts = {os.path.relpath(p, ROOT): re.sub(r"/\*.*?\*/", " ", read(p), flags=re.S)
             for p in paths}
    return {p: text for p, text in texts.items() if not p.startswith("src/dc/")}


def definitions(texts):
    """{name: [(path, its text)]}, one for each place that defines it."""
    found = {}
    for path, text in texts.items():
        for name, value in re.findall(r"^#\s*define (\w+)[ \t]+([^\n\\]+)", text, re.M):
            found.setdefault(name, []).append((path, value.strip()))
    return found


def number_of(value, defined, depth=0):
    """What an expression of numbers and other constants comes to; None if it is none."""
    value = re.sub(r"\bU?INT(?:8|16|32|64)_C\b|\((?:u?int\d+_t|size_t|unsigned|int|double)\)", "",
                   value)
    value = re.sub(r"\b(0x[0-9A-Fa-f]+|\d+)[uUlL]+\b", r"\1", value)
    for name in set(re.findall(r"\b[A-Za-z_]\w*", re.sub(r"\b0x\w+", "", value))):
        inner = number_of(defined[name][0][1], defined, depth + 1) \
            if name in defined and depth < 8 else None
        if inner is None:
            return None
        value = re.sub(rf"\b{name}\b", str(inner), value)
    if not re.fullmatch(r"[\d\sxXa-fA-F()*+<>/-]+", value):
        return None
    return eval(value.replace("/", "//"), {"__builtins__": {}})  # numbers and operators alone


def value_wrong(name, behind, value, defined):
    """What the table says behind a constant's name against its definition; None if they agree."""
    if "{" in value:  # a rate
        said = RATE.match(behind)
        told = [int(re.search(rf"\.{m} = (\d+)", value)[1]) for m in ("calls", "per_us", "burst")]
        told[1] //= UNITS["s"]
        return None if said and [int(n) for n in said.groups()] == told else f"{told} in the code"
    said = VALUE.match(behind)
    if not said:
        return "has no value in the table"
    unit = NAME_UNITS.get(name.rsplit("_", 1)[-1], "")
    if unit and not said[2]:
        return "has no unit in the table"
    wanted = int(said[1].replace(",", "")) * UNITS[said[2] or ""] - (1 if said[3] else 0)
    number = number_of(value, defined)
    if number is None:
        return f"can't be read: {value}"
    return None if number * UNITS[unit] == wanted else f"{value} in the code, {said[0].strip()} here"


def files_named(text):
    return re.findall(r"`((?:[\w*]+/)*[\w*]+\.[ch])`", text)


def found(pattern):
    return [os.path.relpath(p, ROOT) for place in PLACES
            for p in glob.glob(os.path.join(ROOT, place + pattern))]


def judge_limits(page, defined, check):
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", page[page.index("\n## Limits"):], re.M)[1:]
    check(len(rows) > 50, "there is no table of limits")
    for where, limits in rows:
        files = [f for named in files_named(where + limits) for f in found(named)]
        for match in re.finditer(r"`([A-Z]\w+)`", limits):
            name = match[1]
            homes = defined.get(name, [])
            check(homes, f"{name}: the code has no such constant")
            if files_named(where):  # or the row is of several parts of the library
                folders = {os.path.dirname(f) for f in files}
                homes = [h for h in homes if h[0] in files
                         or h[0].endswith(".c") and os.path.dirname(h[0]) in folders]
                check(homes or name not in defined, f"{name}: is not in {where}")
            for path, value in homes[:1]:
                wrong = value_wrong(name, limits[match.end():], value, defined)
                check(wrong is None, f"{name} ({path}): {wrong}")


def judge_map(page, check):
    """The drawing: folders by their path; in loops/ a line names files, or their beginnings."""
    drawn = page[page.index("\n## The map"):page.index("\nArrows point down")]
    for path in re.findall(r"(?:^|[ (])((?:src|loops|include|bench|tests)/[\w/*]*)", drawn):
        check(found(path.rstrip("/") + ("*" if path.endswith("_") else "")), f"{path} is not there")
    for line in re.findall(r"^  \|   (\w\S*(?: \S+)*?)(?: \.\.\.)?  ", drawn, re.M):
        for word in line.split():
            name = word if "." in word or "*" in word else word + ".c"
            check(glob.glob(os.path.join(ROOT, "loops", name)), f"the map: no loops/{name}")


def judge_names(page, texts, check):
    """What stands between backquotes: files, folders, and words of the code."""
    words = set(re.findall(r"\w+", "\n".join(texts.values())))
    for name in sorted(set(re.findall(r"`([^`\n]+)`", page))):
        if "/" in name or re.search(r"\.[ch]$", name):
            check(found(name), f"{name} is not there")
        elif re.fullmatch(r"[a-z_]\w*", name):
            check(name in words, f"{name}: the code has no such word")


def judge(page, texts, defined):
    """@return (how much was right, [what was not])."""
    right, wrong = [], []

    def check(ok, message):
        (right if ok else wrong).append(message)
    judge_map(page, check)
    judge_names(page, texts, check)
    judge_limits(page, defined, check)
    return len(right), [w for n, w in enumerate(wrong) if w not in wrong[:n]]


# Mistakes, and a word of what has to be said of each: (text on the page, what is made of it, word).
MISTAKES = (
    ("`GAP_ENGINE_INBOX_MAX` 4096", "`GAP_ENGINE_INBOX_MAX` 4095", "GAP_ENGINE_INBOX_MAX"),
    ("`GAP_ENGINE_IDLE_US` 15 min", "`GAP_ENGINE_IDLE_US` 15 s", "GAP_ENGINE_IDLE_US"),
    ("`GAP_ENGINE_IDLE_US` 15 min", "`GAP_ENGINE_IDLE_US` 15", "no unit"),
    ("`GAP_FRAME_MAX_BYTES` 16 MiB - 1", "`GAP_FRAME_MAX_BYTES` 16 MiB", "GAP_FRAME_MAX_BYTES"),
    ("`GAP_RATE_GROUP` 20 in 60 s", "`GAP_RATE_GROUP` 20 in 30 s", "GAP_RATE_GROUP"),
    ("`GAP_ENGINE_INBOX_MAX`", "`GAP_ENGINE_INBOX_MOST`", "GAP_ENGINE_INBOX_MOST"),
    ("`GAP_ENGINE_INBOX_MAX` 4096", "`GAP_ENGINE_INBOX_MAX`", "no value"),
    ("| `gapless/sink.h` | failed", "| `gapless/route.h` | failed", "GAP_SINK_RETRY_MIN_US"),
    ("`gap_continue`", "`gap_go_on`", "gap_go_on"),
    ("`engine_feed.c`", "`engine_food.c`", "engine_food.c"),
    ("   loop.c ", "   lope.c ", "lope.c"),
    (" src/runner/ ", " src/walker/ ", "src/walker/"),
)


def main():
    page, texts = read(os.path.join(ROOT, PAGE)), code()
    defined = definitions(texts)
    passed, failures = judge(page, texts, defined)
    for old, new, word in MISTAKES:
        broken = judge(page.replace(old, new, 1), texts, defined)[1]
        if old in page and any(word in f for f in broken if f not in failures):
            passed += 1
        else:
            failures.append(f"'{new}' instead of '{old}' is not noticed")
    for failure in failures:
        print(f"{PAGE}: {failure}")
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
