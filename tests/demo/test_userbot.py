#!/usr/bin/env python3
"""gapless-userbot as a user meets it: the demo, a server of one's own, mistakes, signals.

Usage: test_userbot.py BUILD_DIR. Ends with "N passed, N failed".
"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

from campaign import SANITISED, Tally

BUILD = os.path.abspath(sys.argv[1])
USERBOT = os.path.join(BUILD, "gapless-userbot")
DC = os.path.join(BUILD, "gapless-dc")
CREDENTIALS = ["--api-id", "1", "--api-hash", "x", "--bot-token", "7000001:test"]
VERDICT = re.compile(r"^delivered (\d+)/(\d+), lost (\d+), doubled (\d+), out of order (\d+), "
                     r"superseded (\d+), differences (\d+), p50 [\d.]+ ms, p99 [\d.]+ ms$")

tally = Tally("userbot")
check = tally.check


def userbot(args, timeout=60):
    done = subprocess.run([USERBOT] + args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Dc:
    """A gapless-dc of its own, ended by its own pid."""

    def __init__(self, folder, *args):
        self.key = os.path.join(folder, "key.pem")
        self.ledger = os.path.join(folder, "ledger")
        self.process = subprocess.Popen(
            [DC, "--pubkey-out", self.key, "--ledger", self.ledger] + list(args),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        ready = json.loads(self.process.stdout.readline())
        self.port = ready["port"]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.status = self.process.wait(30)
        self.process.stdout.close()

    def server_args(self):
        return ["--server", f"127.0.0.1:{self.port}", "--server-key", self.key] + CREDENTIALS


def test_demo():
    events = "1500" if SANITISED else "6000"
    status, out, err = userbot(["--embedded", "--seed", "4", "--events", events, "--channels", "60"])
    lines = out.strip().splitlines()
    found = VERDICT.match(lines[-1]) if lines else None
    check(status == 0 and found is not None, f"demo: status {status}, {out!r} {err!r}")
    if found:
        delivered, expected, lost, doubled, disorder = (int(found.group(i)) for i in range(1, 6))
        check(delivered == expected and delivered > 1000, f"demo: {lines[-1]}")
        check((lost, doubled, disorder) == (0, 0, 0), f"demo: {lines[-1]}")
        outside = re.search(rf"^(\d+) of {events} events are not judged", out, re.M)
        check(outside is not None
              and expected + int(found.group(6)) + int(outside.group(1)) == int(events),
              f"demo: events are missing in the count: {out!r}")
        check(int(found.group(7)) > 0, "demo: no difference was needed: were there faults at all?")
    check(err == "", f"demo: a pipe should be quiet: {err!r}")


def test_demo_json():
    status, out, _ = userbot(["--seed", "9", "--events", "500", "--channels", "10", "--json"])
    verdict = json.loads(out.strip().splitlines()[-1])
    check(status == 0 and verdict["lost"] == 0 and verdict["delivered"] > 300, f"json: {verdict}")


def test_output_lines(folder):
    out_path = os.path.join(folder, "out")
    with Dc(folder, "--events", "300", "--channels", "5", "--kinds", "new_message") as dc:
        status, said, err = userbot(dc.server_args() + ["--out", out_path, "--expect", "300",
                                                        "--timeout", "30"])
    check(said.startswith("received 300 updates;") and said.count("\n") == 1, f"end: {said!r}")
    check(status == 0, f"--expect: status {status}: {err!r}")
    check(dc.status == 0, f"gapless-dc ended with {dc.status}")
    with open(out_path, encoding="utf-8") as f:
        got = [json.loads(line) for line in f]
    with open(dc.ledger, encoding="utf-8") as f:
        ledger = [json.loads(line) for line in f]
    events = [e for e in ledger if e["kind"] == "new_message"]
    check(len(got) == 300 and len(events) == 300, f"--out: {len(got)} lines of {len(events)}")
    want = {(e["chat"], e["id"]): e["text"] for e in events}
    check(all(want.get((g["chat"], g["id"])) == g["text"] for g in got), "--out: texts differ")
    check(all(g["via"] in ("push", "difference", "result", "journal") for g in got), "--out: via")
    check(all(g["box"] == ("channel:" + g["chat"].split(":")[1] if g["chat"].startswith("channel")
                           else "common") for g in got), "--out: box")
    check(all((g["pts"] is None) == (g["via"] == "difference") for g in got), "--out: pts")


def test_expectation_not_met(folder):
    with Dc(folder, "--events", "5") as dc:
        status, _, err = userbot(dc.server_args() + ["--expect", "500", "--timeout", "3"])
    check(status == 3 and err.count("\n") == 1, f"unmet: status {status}: {err!r}")


def test_signals(folder):
    for number, extra, wanted in ((signal.SIGTERM, [], 0), (signal.SIGINT, [], 0),
                                  (signal.SIGINT, ["--expect", "99999"], 3)):
        with Dc(folder, "--events", "100000", "--rate", "200") as dc:
            bot = subprocess.Popen([USERBOT] + dc.server_args() + extra, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            time.sleep(1.5)
            bot.send_signal(number)
            try:
                _, err = bot.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                bot.kill()
                _, err = bot.communicate()
        check(bot.returncode == wanted and b"interrupted after" in err,
              f"signal {number} {extra}: status {bot.returncode}: {err!r}")


def children_of(pid):
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:  # it has ended
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(name))
    return found


def embedded_with_its_child(*args):
    """A userbot in a process group of its own, as a shell starts it, and the pid of its
    gapless-dc, both at work."""
    bot = subprocess.Popen([USERBOT, "--embedded", "--events", "1000000", "--json", "--out", "-",
                            *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, start_new_session=True)
    for _ in range(100):
        bot.stdout.readline()
    return bot, children_of(bot.pid)


def ends(pid, patience_s=20):
    end = time.monotonic() + patience_s
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < end:
        time.sleep(0.05)
    return not os.path.exists(f"/proc/{pid}")


def test_ctrl_c_embedded():
    """Ctrl-C goes to the whole group: the data centre is there until the userbot has ended."""
    bot, children = embedded_with_its_child("--handler-ms", "300")
    check(len(children) == 1, f"an embedded userbot has the children {children}")
    os.killpg(bot.pid, signal.SIGINT)
    _, err = bot.communicate(timeout=30)
    check(b"interrupted after" in err and b"lost" not in err and b"simulated" not in err,
          f"ctrl-c, embedded: {err!r}")
    check(all(ends(pid) for pid in children), "ctrl-c: the data centre goes on without a userbot")


def test_kill_embedded():
    bot, children = embedded_with_its_child()
    bot.kill()
    bot.wait()  # its output may stay open: with the data centre
    for pid in children:
        if not ends(pid):
            os.kill(pid, signal.SIGKILL)
            check(False, "kill -9: the data centre goes on without a userbot")
    check(len(children) == 1, f"kill -9: children {children}")


def test_until_eof():
    """The data centre ends with who started it, if asked to; then it needs a pipe."""
    for given, wanted in (({"input": b"words"}, 0), ({"stdin": subprocess.DEVNULL}, 1)):
        dc = subprocess.run([DC, "--until-eof"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            timeout=30, check=False, **given)
        check(dc.returncode == wanted and dc.stderr.count(b"\n") == wanted,
              f"--until-eof: status {dc.returncode}: {dc.stderr!r}")


def test_wrong_usage():
    for args in (["--nonsense"], ["--server", "nowhere"], ["--server", "127.0.0.1:1"], ["word"],
                 ["--events", "many"], ["--timeout"], ["--telegram", "--server", "127.0.0.1:1"],
                 ["--telegram"], ["--embedded", "--expect", "5"],
                 ["--server", "127.0.0.1:1", "--server-key", "k"]):
        status, out, err = userbot(args)
        check(status == 2 and err.count("\n") == 1 and out == "",
              f"usage {args}: status {status}: {err!r}")
    status, out, err = userbot(["--help"])
    check(status == 0 and err == "" and "--embedded" in out, "--help")


def test_wrong_keys_and_addresses(folder):
    base = CREDENTIALS + ["--timeout", "20"]
    missing = os.path.join(folder, "no-such-key")
    status, _, err = userbot(["--server", "127.0.0.1:1", "--server-key", missing] + base)
    check(status == 1 and missing in err and err.count("\n") == 1, f"no key file: {status} {err!r}")
    broken = os.path.join(folder, "broken.pem")
    with open(broken, "w", encoding="ascii") as f:
        f.write("-----BEGIN RSA PUBLIC KEY-----\nnonsense\n-----END RSA PUBLIC KEY-----\n")
    status, _, err = userbot(["--server", "127.0.0.1:1", "--server-key", broken] + base)
    check(status == 1 and broken in err and err.count("\n") == 1, f"broken key: {status} {err!r}")
    with Dc(folder) as dc, tempfile.TemporaryDirectory() as other_folder, Dc(other_folder) as other:
        args = dc.server_args()
        args[args.index("--server-key") + 1] = other.key
        status, _, err = userbot(args + ["--timeout", "20"])
        check(status == 1 and "key" in err, f"another server's key: status {status}: {err!r}")
        args = dc.server_args()
        args[args.index("--bot-token") + 1] = "no token"
        status, _, err = userbot(args + ["--timeout", "20"])
        check(status == 1 and "token" in err, f"a bad token: status {status}: {err!r}")
        status, _, err = userbot(dc.server_args() + ["--dc", "4", "--timeout", "20"])
        check(status == 1 and "data centre" in err.lower(), f"a wrong --dc: {status}: {err!r}")
    for address in (f"127.0.0.1:{dc.port}", "no-such-host.invalid:443"):
        status, _, err = userbot(["--server", address, "--server-key", dc.key]
                                 + CREDENTIALS + ["--timeout", "30"])
        check(status == 1 and address in err and err.count("\n") == 1,
              f"nobody listens at {address}: status {status}: {err!r}")


def main():
    test_wrong_usage()
    test_demo()
    test_demo_json()
    test_ctrl_c_embedded()
    test_kill_embedded()
    test_until_eof()
    for test in (test_output_lines, test_expectation_not_met, test_signals,
                 test_wrong_keys_and_addresses):
        with tempfile.TemporaryDirectory() as folder:
            test(folder)
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
