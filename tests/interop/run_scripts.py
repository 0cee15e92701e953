#!/usr/bin/env python3
"""Plays each script of tests/interop/scripts with gapless-dc, lets gapless-userbot be the client,
and compares what it wrote with the server's ledger.

Usage: run_scripts.py GAPLESS_DC GAPLESS_USERBOT SCRIPT_FOLDER [NAME...]

Each event of the ledger must have come once: no more and no less, unless it is said to be folded
into a difference, is in no box and was not pushed, or the script's comment allows it by
`# undelivered: N`. New messages of a chat come by ascending id. What the script itself expects is
judged by gapless-dc, whose exit status tells.
"""
import collections
import concurrent.futures
import glob
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

KINDS = ("new_message", "edit_message", "delete_messages", "pin", "read", "qts", "callback_query")
# Traffic drawn by chance, for what a script can't say.
TRAFFIC = {
    "traffic_min_peers": ["--min", "0.3"],
    "traffic_short_forms": ["--short", "0.7", "--channels", "2"],
    "traffic_packed": ["--gzip", "0.5", "--loss", "0.05"],
    "traffic_new_sessions": ["--disconnect", "0.6", "--loss", "0.02"],
}
TRAFFIC_ALWAYS = ["--events", "600", "--rate", "300", "--users", "20", "--reorder", "0.1",
                  "--kinds", "new_message,edit_message,delete_messages"]
AT_ONCE = 6
QUIET_S = 0.3
TRAFFIC_QUIET_S = 3
LIMIT_S = 25


def key(event):
    kind = event["kind"]
    if kind == "new_message":
        return kind, event["chat"], event["id"]
    if kind == "edit_message":
        return kind, event["chat"], event["id"], event["text"]
    if kind == "delete_messages":
        return (kind, event["box"]) + tuple(event["ids"])
    if kind == "callback_query":
        return kind, event["query_id"]
    if kind == "qts":
        return kind, event["qts"], event["chat"], event.get("id")
    return kind, event.get("chat"), event.get("id"), event.get("max_id"), event.get("pinned")


def read_lines(name):
    with open(name, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.endswith("\n")]


def judge(script, ledger, out):
    """What is wrong with what the client wrote: a list of sentences."""
    allowed = 0
    if script not in TRAFFIC:
        with open(script, encoding="utf-8") as f:
            for number in re.findall(r"^# undelivered: (\d+)$", f.read(), re.M):
                allowed += int(number)
    folded, pushed, wrong = set(), set(), []
    for line in ledger:
        if line["kind"] == "difference":
            folded.update(line["folded"])
        elif line["kind"] == "push" and line["fate"] != "dropped":
            pushed.add(line["n"])
    out = [line for line in out if line["kind"] in KINDS]
    got = collections.Counter(key(line) for line in out)
    undelivered = 0
    known = set()
    for event in ledger:
        if event["kind"] not in KINDS:
            continue
        known.add(key(event))
        count = got[key(event)]
        if count > 1:
            wrong.append("event %d came %d times" % (event["n"], count))
        elif count == 0:
            needless = event["box"] == "none" and event["n"] not in pushed
            if event["n"] not in folded and not needless:
                undelivered += 1
    if undelivered > allowed:
        wrong.append("%d events did not come, %d may be missing" % (undelivered, allowed))
    for line in out:
        if key(line) not in known:
            wrong.append("came from nowhere: %s" % json.dumps(line))
    newest = {}
    for line in out:
        if line["kind"] == "new_message":
            if line["id"] <= newest.get(line["chat"], 0):
                wrong.append("message %d of %s out of order" % (line["id"], line["chat"]))
            newest[line["chat"]] = line["id"]
    if not out:
        wrong.append("nothing came at all")
    return wrong


def wait_for_done(dc, started):
    unmet = []
    for line in dc.stdout:
        event = json.loads(line)
        if event["event"] == "expect" and not event["met"]:
            unmet.append("line %d: %s" % (event["line"], event["what"]))
        if event["event"] == "done":
            return unmet
    return unmet + ["the server ended after %.1f s" % (time.monotonic() - started)]


def options_of(script):
    if script in TRAFFIC:
        return TRAFFIC_ALWAYS + TRAFFIC[script]
    return ["--script", script]


def play(dc_program, bot_program, script, folder):
    ledger, out, pem = (os.path.join(folder, n) for n in ("ledger", "out", "key.pem"))
    started = time.monotonic()
    with open(os.path.join(folder, "dc.err"), "w") as dc_err, \
            open(os.path.join(folder, "bot.err"), "w") as bot_err:
        dc = subprocess.Popen([dc_program] + options_of(script) +
                              ["--ledger", ledger, "--pubkey-out", pem], stdout=subprocess.PIPE, stderr=dc_err, text=True)
        bot = None
        try:
            port = json.loads(dc.stdout.readline())["port"]
            bot = subprocess.Popen(
                [bot_program, "--server", "127.0.0.1:%d" % port, "--server-key", pem, "--api-id",
                 "1", "--api-hash", "0" * 32, "--bot-token", "5000:script", "--out", out,
                 "--timeout", str(LIMIT_S)], stdout=subprocess.DEVNULL, stderr=bot_err)
            wrong = wait_for_done(dc, started)
            time.sleep(QUIET_S if script not in TRAFFIC else TRAFFIC_QUIET_S)
            if bot.poll() is not None:
                wrong.append("the client ended by itself with %d" % bot.returncode)
            bot.send_signal(signal.SIGTERM)
            bot.wait(10)
            dc.send_signal(signal.SIGTERM)
            status = dc.wait(10)
            if status not in (0, 3) or (status == 3) != bool(wrong):
                wrong.append("gapless-dc ended with %d" % status)
        finally:
            for process in (bot, dc):
                if process is not None and process.poll() is None:
                    process.kill()
                    process.wait()
    wrong += judge(script, read_lines(ledger), read_lines(out))
    return wrong, time.monotonic() - started


def name_of(script):
    return re.sub(r"\.dc$", "", os.path.basename(script))


def main():
    dc_program, bot_program, folder = sys.argv[1:4]
    scripts = sorted(glob.glob(os.path.join(folder, "*.dc"))) + list(TRAFFIC)
    if len(sys.argv) > 4:
        scripts = [s for s in scripts if name_of(s) in sys.argv[4:]]
    if not scripts:
        sys.exit("no scripts in %s" % folder)
    failed = 0

    def one(script):
        with tempfile.TemporaryDirectory() as scratch:
            return script, play(dc_program, bot_program, script, scratch)

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for script, (wrong, seconds) in pool.map(one, scripts):
            print("%-36s %s %.1f s" % (name_of(script), "FAILED" if wrong else "ok", seconds))
            for sentence in wrong[:10]:
                print("    " + sentence)
            failed += bool(wrong)
    print("%d passed, %d failed" % (len(scripts) - failed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
