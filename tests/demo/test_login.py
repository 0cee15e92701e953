#!/usr/bin/env python3
"""gapless-userbot login, sessions and logout as a user meets them: at a terminal (a pseudo one),
unattended, with mistakes; and the runs after them.

Usage: test_login.py BUILD_DIR [no-sqlite]. Ends with "N passed, N failed".
"""
import concurrent.futures
import json
import os
import pty
import re
import select
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import termios
import time

from campaign import SANITISED, Tally

BUILD = os.path.abspath(sys.argv[1])
HAS_SQLITE = "no-sqlite" not in sys.argv[2:]
USERBOT = os.path.join(BUILD, "gapless-userbot")
DC = os.path.join(BUILD, "gapless-dc")
PATIENCE_S = 30 if SANITISED else 15
PHONE, CODE, PASSWORD = "+9996621234", "22222", "two steps & more"
API = {"GAPLESS_API_ID": "1", "GAPLESS_API_HASH": "hash-of-api"}
PERSON = dict(API, GAPLESS_PHONE=PHONE, GAPLESS_CODE=CODE, GAPLESS_PASSWORD=PASSWORD)
BOT = dict(API, GAPLESS_BOT_TOKEN="7000001:token-of-bot")
SECRETS = (CODE, PASSWORD, "token-of-bot", "hash-of-api", "9996621234")

SIDE_BY_SIDE = 4  # tests: they wait more than they compute

tally = Tally("login")
check = tally.check


def environment(variables):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GAPLESS_")}
    return dict(clean, **variables)


class Done:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err
        self.lines = out.count("\n") + err.count("\n")

    def __str__(self):
        return f"status {self.status}: {self.out!r} {self.err!r}"


def userbot(args, variables=API, timeout=60):
    """Unattended: no terminal, in a session of its own."""
    done = subprocess.run([USERBOT] + args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout, check=False,
                          env=environment(variables), start_new_session=True)
    result = Done(done.returncode, done.stdout.decode(), done.stderr.decode())
    told = [s for s in SECRETS if s in result.out + result.err]
    check(not told, f"{args[:1]}: a secret was printed: {told}: {result}")
    return result


def await_bytes(path):
    """Wait until something was written there."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and not (os.path.exists(path) and os.path.getsize(path) > 0):
        time.sleep(0.05)
    return check(os.path.exists(path) and os.path.getsize(path) > 0, f"nothing came into {path}")


class Dc:
    """A gapless-dc of its own, ended by its own pid."""

    def __init__(self, folder, *args, name=""):
        self.key = os.path.join(folder, name + "key.pem")
        self.ledger = os.path.join(folder, name + "ledger")
        self.process = subprocess.Popen(
            [DC, "--pubkey-out", self.key, "--ledger", self.ledger] + list(args),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.port = json.loads(self.process.stdout.readline())["port"]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.terminate()
        self.status = self.process.wait(30)
        self.process.stdout.close()

    def args(self):
        return ["--server", f"127.0.0.1:{self.port}", "--server-key", self.key, "--timeout", "40"]


class Terminal:
    """The userbot at a pseudo-terminal that it thinks its user sits at."""

    def __init__(self, args, variables=API):
        command, variables = [USERBOT] + args, environment(variables)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(USERBOT, command, variables)
        self.text = ""
        self.status = None

    def read_more(self, timeout):
        ready, _, _ = select.select([self.fd], [], [], timeout)
        if not ready:
            return False
        try:
            data = os.read(self.fd, 4096)
        except OSError:  # the other side is gone
            return False
        self.text += data.decode("utf-8", "replace")
        return bool(data)

    def expect(self, what, count=1):
        """Wait until it has written this so many times."""
        end = time.monotonic() + PATIENCE_S
        while self.text.count(what) < count and time.monotonic() < end:
            self.read_more(0.1)
        return check(self.text.count(what) >= count, f"terminal: no {what!r} ({count}) in "
                     f"{self.text!r}")

    def type(self, line):
        os.write(self.fd, (line + "\n").encode())

    def press(self, key):
        os.write(self.fd, key)

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def wait_echo(self, wanted):
        end = time.monotonic() + PATIENCE_S
        while self.echoes() != wanted and time.monotonic() < end:
            time.sleep(0.02)
        return self.echoes() == wanted

    def end(self):
        """Everything it still says, and its status (negative: a signal)."""
        end = time.monotonic() + PATIENCE_S
        while self.status is None and time.monotonic() < end:
            self.read_more(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid != 0:
                self.status = os.waitstatus_to_exitcode(status)
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        while self.read_more(0.05):
            pass
        return self.status

    def close(self):
        os.close(self.fd)


def signed_in_line(text, session, already=False):
    return re.search((r"^already " if already else "^") + r"signed in as .+ \(\d+\), session in "
                     + re.escape(session) + r"\r?$", text, re.M)


# --- unattended ---------------------------------------------------------------------------------

def test_bot(folder):
    session = os.path.join(folder, "bot.session")
    with Dc(folder) as dc:
        args = ["login"] + dc.args() + ["--session", session]
        done = userbot(args, BOT)
        check(done.status == 0 and signed_in_line(done.out, session) and done.lines == 1,
              f"bot: {done}")
        mode = stat.S_IMODE(os.stat(session).st_mode)
        check(mode == 0o600, f"session file has mode {mode:o}")
        done = userbot(args, {})
        check(done.status == 0 and signed_in_line(done.out, session, True) and done.lines == 1,
              f"bot, again, without credentials: {done}")
        done = userbot(args + ["--json"], {})
        told = json.loads(done.out or "{}")
        check(told.get("already") is True and told.get("user_id") == 7000001, f"--json: {done}")
        done = userbot(["logout"] + dc.args() + ["--session", session], {})
        check(done.status == 0 and done.out.startswith("signed out") and done.lines == 1,
              f"logout: {done}")
        done = userbot(["logout"] + dc.args() + ["--session", session], {})
        check(done.status == 0 and done.out.startswith("not signed in") and done.lines == 1,
              f"logout twice: {done}")
        done = userbot(["login"] + dc.args() + ["--session", session], BOT)
        check(done.status == 0 and signed_in_line(done.out, session), f"in again: {done}")


def test_person(folder):
    session = os.path.join(folder, "p.session")
    with Dc(folder, "--password", PASSWORD) as dc:
        args = dc.args() + ["--session", session]
        done = userbot(["login"] + args, PERSON)
        check(done.status == 0 and signed_in_line(done.out, session) and done.lines == 1,
              f"person: {done}")
        done = userbot(["sessions"] + args, {})
        check(done.status == 0 and "gapless-userbot" in done.out and "* this one" in done.out,
              f"sessions: {done}")
        done = userbot(["sessions", "--json"] + args, {})
        told = [json.loads(line) for line in done.out.splitlines()]
        check(len(told) == 1 and told[0]["current"] is True, f"sessions --json: {done}")
        second = os.path.join(folder, "second.session")
        done = userbot(["login"] + dc.args() + ["--session", second], PERSON)
        check(done.status == 0, f"a second session: {done}")
        done = userbot(["sessions", "--json"] + args, {})
        told = [json.loads(line) for line in done.out.splitlines()]
        check(sorted(t["current"] for t in told) == [False, True], f"two sessions: {done}")


def test_person_by_flags(folder):
    """Flags win over variables, and are not to be seen in the list of processes."""
    session, lines = os.path.join(folder, "p.session"), os.path.join(folder, "out")
    with Dc(folder, "--password", PASSWORD, "--rate", "50") as dc:
        wrong = dict(PERSON, GAPLESS_CODE="99999", GAPLESS_PASSWORD="wrong")
        flags = ["--phone", PHONE, "--code", CODE, "--password", PASSWORD]
        process = subprocess.Popen([USERBOT] + dc.args() +
                                   ["--session", session, "--out", lines] + flags,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=environment(wrong),
                                   start_new_session=True)
        await_bytes(lines)
        with open(f"/proc/{process.pid}/cmdline", "rb") as f:
            shown = f.read().decode()
        process.terminate()
        out, err = process.communicate(timeout=30)
        check(process.returncode == 0 and out.startswith(b"received "), f"flags: {out!r} {err!r}")
        check(not [s for s in (CODE, PASSWORD, "9996621234") if s in shown],
              f"the list of processes shows {shown!r}")


def test_unattended_mistakes(folder):
    with Dc(folder, "--password", PASSWORD) as dc:
        cases = [
            ("no credentials", {}, ("--api-id", "GAPLESS_API_ID")),
            ("neither phone nor token", API, ("--phone", "GAPLESS_PHONE")),
            ("no code", dict(API, GAPLESS_PHONE=PHONE), ("--code", "GAPLESS_CODE")),
            ("a wrong code", dict(PERSON, GAPLESS_CODE="99999"), ("--code", "GAPLESS_CODE")),
            ("no password", dict(API, GAPLESS_PHONE=PHONE, GAPLESS_CODE=CODE),
             ("--password", "GAPLESS_PASSWORD")),
            ("a wrong password", dict(PERSON, GAPLESS_PASSWORD="no, not this"),
             ("--password", "GAPLESS_PASSWORD")),
            ("a number that is none", dict(PERSON, GAPLESS_PHONE="+1234567"),
             ("--phone", "GAPLESS_PHONE")),
            ("a token that is none", dict(API, GAPLESS_BOT_TOKEN="nonsense"), ("token",)),
        ]
        for i, (why, variables, wanted) in enumerate(cases):
            session = os.path.join(folder, f"{i}.session")
            done = userbot(["login"] + dc.args() + ["--session", session], variables)
            check(done.status == 1 and done.lines == 1 and all(w in done.err for w in wanted),
                  f"{why}: {done}")


def test_wrong_usage(folder):
    session = os.path.join(folder, "s")
    for args in (["login"], ["login", "--telegram"], ["login", "--session", session],
                 ["logout", "--telegram"], ["embedded"], ["--state", "x.db"],
                 ["--session", session], ["--embedded", "--state", "x.db"],
                 ["login", "--telegram", "--session", session, "--phone", "+1", "--bot-token",
                  "1:a"], ["login", "--telegram", "--session", session, "--phone", ""]):
        done = userbot(args, {})
        check(done.status == 2 and done.lines == 1 and done.out == "", f"usage {args}: {done}")
    done = userbot(["login", "--telegram", "--session", session], {"GAPLESS_API_ID": "many"})
    check(done.status == 2 and "GAPLESS_API_ID" in done.err, f"a bad variable: {done}")
    for job in ("logout", "sessions"):
        done = userbot([job, "--telegram", "--session", session], {})
        check(done.lines == 1 and not os.path.exists(session), f"{job} without a session: {done}")


# --- at a terminal ------------------------------------------------------------------------------

def test_prompts(folder):
    """Phone, a wrong code, the code, a wrong password, the password."""
    session = os.path.join(folder, "t.session")
    with Dc(folder, "--password", PASSWORD) as dc:
        t = Terminal(["login"] + dc.args() + ["--session", session])
        t.expect("Phone number")
        t.type(PHONE)
        t.expect("Code")
        t.type("99999")
        t.expect("Code", 2)
        t.type(CODE)
        t.expect("Two-step password")
        check(not t.echoes(), "the password would be echoed")
        t.type("wrong")
        t.expect("Two-step password", 2)
        t.type(PASSWORD)
        status = t.end()
        check(status == 0 and signed_in_line(t.text, session), f"terminal: {status}: {t.text!r}")
        check("wrong" not in re.sub(r"is wrong|wrong password|wrong code", "", t.text.lower())
              and PASSWORD not in t.text, f"a password was echoed: {t.text!r}")
        check(t.echoes(), "the terminal does not echo afterwards")
        t.close()


def test_credentials_asked(folder):
    """Nothing given at all: api id and hash, then a bot token where a phone number is asked for."""
    session = os.path.join(folder, "t.session")
    with Dc(folder) as dc:
        t = Terminal(["login"] + dc.args() + ["--session", session], {})
        t.expect("Api id")
        t.type("none")
        t.expect("Api id", 2)
        t.type("17")
        t.expect("Api hash")
        t.type("0123456789abcdef")
        check("0123456789abcdef" not in t.text, "the api hash was echoed")
        t.expect("bot token")
        t.type(BOT["GAPLESS_BOT_TOKEN"])
        status = t.end()
        check(status == 0 and signed_in_line(t.text, session), f"asked: {status}: {t.text!r}")
        t.close()


def test_three_wrong_answers(folder):
    with Dc(folder, "--password", PASSWORD) as dc:
        base = ["login"] + dc.args() + ["--session"]
        t = Terminal(base + [os.path.join(folder, "c")], dict(API, GAPLESS_PHONE=PHONE))
        for i in range(3):
            t.expect("Code", i + 1)
            t.type("1234" + str(i))
        status = t.end()
        check(status == 1 and "third time" in t.text, f"three codes: {status}: {t.text!r}")
        t.close()
        t = Terminal(base + [os.path.join(folder, "p")],
                     dict(API, GAPLESS_PHONE=PHONE, GAPLESS_CODE=CODE))
        for i in range(3):
            t.expect("Two-step password", i + 1)
            t.type("guess" + str(i))
        status = t.end()
        check(status == 1 and "third time" in t.text and "guess" not in t.text,
              f"three passwords: {status}: {t.text!r}")
        check(t.echoes(), "three passwords: no echo afterwards")
        t.close()


def test_resend(folder):
    with Dc(folder, "--code-timeout", "1") as dc:
        t = Terminal(["login"] + dc.args() + ["--session", os.path.join(folder, "s")],
                     dict(API, GAPLESS_PHONE=PHONE))
        t.expect("Code")
        t.type("")
        t.expect("It can be sent again in 1 s")
        time.sleep(1.2)
        t.type("resend")
        t.expect("SMS; give it")
        t.type(CODE)
        status = t.end()
        check(status == 0, f"resend: {status}: {t.text!r}")
        t.close()


def test_sign_up(folder):
    """The number has no account: a name makes one."""
    session = os.path.join(folder, "s")
    with Dc(folder) as dc:
        t = Terminal(["login"] + dc.args() + ["--session", session],
                     dict(API, GAPLESS_PHONE="+9996629876", GAPLESS_CODE=CODE))
        t.expect("first name")
        t.type("Ada")
        status = t.end()
        check(status == 0 and "signed in as Ada (" in t.text, f"sign-up: {status}: {t.text!r}")
        t.close()
        done = userbot(["login"] + dc.args() + ["--session", session + "2"],
                       dict(PERSON, GAPLESS_PHONE="+9996629875", GAPLESS_FIRST_NAME="Grace"))
        check(done.status == 0 and "signed in as Grace (" in done.out, f"unattended: {done}")


def at_password(dc, folder, name):
    t = Terminal(["login"] + dc.args() + ["--session", os.path.join(folder, name)],
                 dict(API, GAPLESS_PHONE=PHONE, GAPLESS_CODE=CODE))
    t.expect("Two-step password")
    check(not t.echoes(), f"{name}: the password would be echoed")
    return t


def test_echo_comes_back(folder):
    with Dc(folder, "--password", PASSWORD) as dc:
        t = at_password(dc, folder, "ctrl-c")
        t.press(b"\x03")
        status = t.end()
        check(status == 1 and t.echoes() and "interrupted" in t.text,
              f"Ctrl-C: {status}, echo {t.echoes()}: {t.text!r}")
        t.close()
        for number in (signal.SIGTERM, signal.SIGABRT, signal.SIGSEGV, signal.SIGQUIT,
                       signal.SIGHUP):
            t = at_password(dc, folder, f"signal-{number}")
            os.kill(t.pid, number)
            status = t.end()
            check(status != 0 and t.echoes(), f"signal {number}: {status}, echo {t.echoes()}")
            t.close()
        t = at_password(dc, folder, "ctrl-d")
        t.press(b"\x04")
        status = t.end()
        check(status == 1 and t.echoes(), f"Ctrl-D: {status}, echo {t.echoes()}: {t.text!r}")
        t.close()


def test_stop_and_go_on(folder):
    """Ctrl-Z gives the shell a terminal that echoes; afterwards the question is asked again."""
    with Dc(folder, "--password", PASSWORD) as dc:
        t = at_password(dc, folder, "ctrl-z")
        os.kill(t.pid, signal.SIGTSTP)  # there is no shell here to send it for the key
        pid, status = os.waitpid(t.pid, os.WUNTRACED)
        check(pid == t.pid and os.WIFSTOPPED(status), f"not stopped: {status}")
        check(t.wait_echo(True), "stopped, and the terminal does not echo")
        os.kill(t.pid, signal.SIGCONT)
        t.expect("Two-step password", 2)
        check(t.wait_echo(False), "going on, and the password would be echoed")
        t.type(PASSWORD)
        status = t.end()
        check(status == 0 and t.echoes(), f"after Ctrl-Z: {status}: {t.text!r}")
        t.close()


# --- staying signed in --------------------------------------------------------------------------

def lines_of(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


def test_run_after_login(folder):
    """login keeps the state: what comes between it and the first run is not missed."""
    state, out = os.path.join(folder, "me.db"), os.path.join(folder, "out")
    with Dc(folder, "--password", PASSWORD, "--events", "300", "--channels", "5", "--kinds",
            "new_message", "--rate", "400") as dc:
        args = dc.args() + ["--state", state]
        done = userbot(["login"] + args, PERSON)
        check(done.status == 0 and signed_in_line(done.out, state + ".session"), f"login: {done}")
        time.sleep(1.2)
        done = userbot(args + ["--out", out, "--expect", "150"], {})
        check(done.status == 0, f"first run: {done}")
        with open(out, "a", encoding="utf-8") as f:
            f.write('{"kind":"torn')
        # A difference is one step: what the end cut off of it comes again.
        args[args.index("--timeout") + 1] = "8" if SANITISED else "4"
        done = userbot(args + ["--out", out], {})
        check(done.status == 3, f"second run: {done}")
        with open(out, encoding="utf-8") as f:
            text = f.read().split("\n")
        check(text.count('{"kind":"torn') == 1, "a torn line was not left alone")
        got = [json.loads(line) for line in text if line and line != '{"kind":"torn']
        found = {(e["chat"], e["id"]) for e in got}
        with open(dc.ledger, encoding="utf-8") as f:
            events = [json.loads(line) for line in f]
        wanted = {(e["chat"], e["id"]) for e in events if e["kind"] == "new_message"}
        fresh = [e for e in got if not e.get("maybe_repeated")]
        check(found == wanted and len(fresh) <= 300,
              f"{len(got)} lines, {len(fresh)} unflagged, {len(wanted - found)} of 300 missing")


def test_migration(folder):
    """Two data centres: who signs in at the wrong one is sent on, and stays there."""
    peers, keys = os.path.join(folder, "peers"), os.path.join(folder, "keys.pem")
    both = ("--peer-dc-file", peers, "--password", PASSWORD, "--bots-dc", "4")
    with Dc(folder, "--dc", "2", *both, name="two") as two, \
            Dc(folder, "--dc", "4", *both, "--events", "200", "--kinds", "new_message",
               name="four") as four:
        with open(keys, "w", encoding="ascii") as f:
            for dc in (two, four):
                with open(dc.key, encoding="ascii") as key:
                    f.write(key.read())
        args = ["--server", f"127.0.0.1:{two.port}", "--server-key", keys, "--timeout", "40"]
        person = dict(PERSON, GAPLESS_PHONE="+9996641234", GAPLESS_CODE="44444")
        state = os.path.join(folder, "p.db")
        done = userbot(["login"] + args + ["--state", state], person)
        check(done.status == 0 and signed_in_line(done.out, state + ".session"),
              f"a person who lives in 4: {done}")
        done = userbot(args + ["--state", state, "--expect", "200"], {})
        check(done.status == 0, f"the run after it: {done}")
        calls = [e for e in lines_of(two.ledger) if e["kind"] == "call"]
        check(not [e for e in calls if e["method"].startswith("updates.")],
              "the run asked the wrong data centre for updates")
        check(any(e["kind"] == "call" and e["method"] == "updates.getDifference"
                  for e in lines_of(four.ledger)), "the run did not ask data centre 4")
        done = userbot(["sessions"] + args + ["--state", state], {})
        check(done.status == 0 and "* this one" in done.out, f"sessions there: {done}")
        state = os.path.join(folder, "b.db")
        done = userbot(["login"] + args + ["--state", state], BOT)
        check(done.status == 0 and signed_in_line(done.out, state + ".session"),
              f"a bot that lives in 4: {done}")


def test_session_ends(folder):
    """Revoked from another device (401), or used twice (406): what happened and what to do, once;
    afterwards the program signs in anew and goes on from its state."""
    for how, wanted in (("revoke", "401 SESSION_REVOKED"), ("duplicate", "406 AUTH_KEY_DUPLICATED"),
                        ("revoke USER_DEACTIVATED", "401 USER_DEACTIVATED")):
        name = how.replace(" ", "-")
        script, state = os.path.join(folder, name), os.path.join(folder, name + ".db")
        with open(script, "w", encoding="ascii") as f:
            f.write(f"message user:1\nwait 400\n{how}\nforget-session\nmessage user:1\nwait 300\n")
        with Dc(folder, "--script", script, name=name) as dc:
            args = dc.args() + ["--state", state]
            out = state + ".out"
            done = userbot(args + ["--out", out], BOT)
            check(done.status == 1 and done.err.count("\n") <= 2 and
                  wanted in done.err.splitlines()[-1], f"{how}: {done}")
            done = userbot(args, {})
            check(done.status == 1 and done.lines == 1 and "GAPLESS_API_ID" in done.err,
                  f"{how}, then without credentials: {done}")
            done = userbot(args + ["--out", out, "--expect", "1", "--timeout", "15"], BOT)
            check(done.status == 0 and len({e["id"] for e in lines_of(out)}) == 2,
                  f"{how}, then anew: {done}")


def memory_of(pid):
    """Arguments, environment, heap and stack of a process."""
    found = b""
    for name in ("cmdline", "environ"):
        with open(f"/proc/{pid}/{name}", "rb") as f:
            found += f.read()
    if SANITISED:
        return found  # its heap is elsewhere
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, \
            open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            if line.rstrip().endswith(("[heap]", "[stack]")):
                start, end = (int(x, 16) for x in line.split()[0].split("-"))
                mem.seek(start)
                found += mem.read(end - start)
    return found


def test_secrets_are_forgotten(folder):
    """Once signed in, the process holds none of what it was given for that."""
    flags = ["--phone", PHONE, "--code", CODE, "--password", PASSWORD, "--api-id", "1",
             "--api-hash", "hash-of-api"]
    with Dc(folder, "--password", PASSWORD, "--rate", "50", "--events", "100000") as dc:
        for name, args, variables in (("flags", flags, {}), ("environment", [], PERSON)):
            out = os.path.join(folder, name)
            running = subprocess.Popen(
                [USERBOT] + dc.args() + ["--session", out + ".session", "--out", out] + args,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env=environment(variables), start_new_session=True)
            await_bytes(out)
            memory = memory_of(running.pid)
            check(PASSWORD.encode() not in memory, f"{name}: the password is still there")
            check(PHONE.encode() not in memory, f"{name}: the number as it was given is still there")
            running.terminate()
            running.wait(30)


def test_address_that_does_not_answer(folder):
    """The message names the data centre of the session, which is not the one on the command
    line."""
    peers = os.path.join(folder, "dcs")
    ends = ["--peer-dc-file", peers, "--bots-dc", "4"]
    with Dc(folder, "--dc", "2", *ends, name="two") as two:
        with Dc(folder, "--dc", "4", *ends, name="four") as four:
            keys = os.path.join(folder, "keys")
            with open(keys, "w", encoding="ascii") as f:
                for dc in (two, four):
                    with open(dc.key, encoding="ascii") as key:
                        f.write(key.read())
            args = ["--server", f"127.0.0.1:{two.port}", "--server-key", keys,
                    "--state", os.path.join(folder, "me.db"), "--timeout", "20"]
            done = userbot(["login"] + args, BOT)
            check(done.status == 0, f"login at 4: {done}")
        done = userbot(args, BOT)
        check(done.status == 1 and f"127.0.0.1:{four.port}" in done.err and
              "check address" in done.err and "again" not in done.err, f"4 is down: {done}")


def test_state_mistakes(folder):
    state = os.path.join(folder, "me.db")
    with Dc(folder, "--rate", "50", "--events", "100000") as dc:
        args = dc.args() + ["--state", state]
        out = os.path.join(folder, "out")
        holder = subprocess.Popen([USERBOT] + args + ["--out", out], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  env=environment(BOT), start_new_session=True)
        await_bytes(out)
        done = userbot(args, BOT)
        check(done.status == 1 and str(holder.pid) in done.err and done.lines == 1,
              f"held by {holder.pid}: {done}")
        other = os.path.join(folder, "other.session")
        done = userbot(args + ["--session", other], dict(BOT, GAPLESS_BOT_TOKEN="7000005:b"))
        check(done.status == 1 and str(holder.pid) in done.err and done.lines == 1,
              f"database held by {holder.pid}: {done}")
        holder.terminate()
        holder.wait(30)
        done = userbot(args + ["--session", other], dict(BOT, GAPLESS_BOT_TOKEN="7000005:b"))
        check(done.status == 1 and "belongs to account 7000001" in done.err and done.lines == 1,
              f"another account's state: {done}")
        foreign = os.path.join(folder, "foreign.db")
        with open(foreign, "w", encoding="ascii") as f:
            f.write("This is a letter, not a database. " * 200)
        done = userbot(dc.args() + ["--state", foreign], BOT)
        check(done.status == 1 and foreign in done.err and done.lines == 1, f"a foreign file: {done}")
        with open(foreign, encoding="ascii") as f:
            check(f.read().startswith("This is a letter"), "a foreign file was written to")
        done = userbot(dc.args() + ["--session", foreign], BOT)
        check(done.status == 1 and foreign in done.err and done.lines == 1,
              f"a foreign session: {done}")
        with sqlite3.connect(state) as db:
            db.execute("UPDATE gapless_meta SET version = version + 50")
        db.close()
        done = userbot(args, BOT)
        check(done.status == 1 and "newer" in done.err and done.lines == 1, f"newer: {done}")
        done = userbot(dc.args() + ["--state", "/sys/me.db"], BOT)
        check(done.status == 1 and "/sys/me.db" in done.err and done.lines == 1,
              f"a folder that can't be written to: {done}")
        missing = os.path.join(folder, "no", "such", "folder", "me.db")
        done = userbot(dc.args() + ["--state", missing], BOT)
        check(done.status == 1 and "no/such/folder" in done.err and done.lines == 1,
              f"no folder: {done}")


def test_no_sqlite(folder):
    """Built without SQLite: --state says what to do, and nothing was begun."""
    for job in ([], ["login"]):
        with Dc(folder) as dc:
            done = userbot(job + dc.args() + ["--state", os.path.join(folder, "me.db")], BOT)
            check(done.status == 1 and done.lines == 1 and "libsqlite3-dev" in done.err and
                  "--session" in done.err, f"{job} --state: {done}")
            check(not [n for n in os.listdir(folder) if n.startswith("me.db")],
                  f"{job} --state left files: {os.listdir(folder)}")
            check(not lines_of(dc.ledger), f"{job} --state called: {lines_of(dc.ledger)[:3]}")


def test_output_mistakes(folder):
    with Dc(folder, "--rate", "50", "--events", "100000") as dc:
        for out in ("/dev/full", os.path.join(folder, "no", "such", "folder", "out")):
            done = userbot(dc.args() + ["--out", out], BOT)
            check(done.status == 1 and f"{out}: " in done.err and "--out" in done.err and
                  done.err.count("\n") == 1, f"--out {out}: {done}")
        done = userbot(dc.args()[:2] + ["--server-key", os.path.join(folder, "no.pem")], BOT)
        check(done.status == 1 and "no.pem: " in done.err and "--pubkey-out" in done.err and
              done.lines == 1, f"no key file: {done}")


def test_state_with_a_pipe_for_output(folder):
    """With --state a file is gone on with; a pipe has no end to look for."""
    pipe = os.path.join(folder, "pipe")
    os.mkfifo(pipe)
    with Dc(folder, "--kinds", "new_message", "--rate", "50", "--events", "100000") as dc:
        running = subprocess.Popen([USERBOT] + dc.args() + ["--state", os.path.join(folder, "me.db"),
                                                            "--out", pipe, "--expect", "3"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, env=environment(BOT),
                                   start_new_session=True)
        fd = os.open(pipe, os.O_RDONLY)  # waits for the writer
        with os.fdopen(fd) as reader:
            lines = reader.readlines()
        err = running.communicate(timeout=60)[1].decode()
        check(running.returncode == 0 and len(lines) == 3 and
              all(json.loads(line)["kind"] == "new_message" for line in lines),
              f"a pipe: {running.returncode} {lines} {err!r}")


def test_state_locked_at_the_end(folder):
    """A transaction of somebody else keeps the last position from being stored: that is said."""
    state, out = os.path.join(folder, "me.db"), os.path.join(folder, "out")
    with Dc(folder, "--rate", "50", "--events", "100000") as dc:
        running = subprocess.Popen([USERBOT] + dc.args() + ["--state", state, "--out", out],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, env=environment(BOT),
                                   start_new_session=True)
        await_bytes(out)
        db = sqlite3.connect(state, isolation_level=None, timeout=10)
        db.execute("BEGIN IMMEDIATE")
        time.sleep(0.5)
        running.terminate()
        err = running.communicate(timeout=60)[1].decode()
        db.execute("ROLLBACK")
        db.close()
        check("could not be stored" in err and "next start" in err, f"locked at the end: {err!r}")


# What makes no sense without a database.
STATE_TESTS = (test_run_after_login, test_migration, test_session_ends, test_state_mistakes,
               test_state_with_a_pipe_for_output, test_state_locked_at_the_end,
               test_address_that_does_not_answer)


# Waits for a lock as long as a storage does: begun first.
LONGEST = test_state_locked_at_the_end


def run_test(test):
    with tempfile.TemporaryDirectory(prefix="login-") as folder:
        start = time.monotonic()
        try:
            test(folder)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            check(False, f"{test.__name__}: {type(error).__name__}: {error}")
        if os.environ.get("GAP_VERBOSE"):
            print(f"{test.__name__} [{time.monotonic() - start:.1f} s]", flush=True)


def main():
    left_out = (test_no_sqlite,) if HAS_SQLITE else STATE_TESTS
    tests = [v for k, v in globals().items() if k.startswith("test_") and v not in left_out]
    tests.sort(key=lambda test: test is not LONGEST)
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        list(pool.map(run_test, tests))
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
