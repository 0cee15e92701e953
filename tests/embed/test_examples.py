#!/usr/bin/env python3
"""The programs that show where a client fits in, against gapless-dc.

Usage: test_examples.py SOURCE_ROOT BUILD_ROOT [no-sqlite]. Each is compiled as a user would, against an
installed copy, and runs while the data centre loses and reorders pushes; its ledger says what had
to come. Prints "skipped: ..." for what can't be built here, and ends with "N passed, N failed".
"""
import concurrent.futures
import contextlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

import test_embed as user
from test_embed import check

EVENTS = 1200
TRAFFIC = ["--events", str(EVENTS), "--channels", "8", "--kinds", "new_message", "--rate", "400",
           "--loss", "0.05", "--reorder", "0.1", "--duplicate", "0.02"]
PATIENCE_S = 40
QUIET_S = 1  # what comes twice, comes in this time


class Server:
    """A gapless-dc with its key and ledger."""

    def __init__(self, folder, name, traffic):
        self.ledger = os.path.join(folder, name + ".ledger")
        key = os.path.join(folder, name + ".pem")
        self.process = subprocess.Popen(
            [os.path.join(user.BUILD, "gapless-dc"), "--pubkey-out", key, "--ledger", self.ledger,
             *traffic], stdout=subprocess.PIPE, universal_newlines=True)
        port = json.loads(self.process.stdout.readline())["port"]
        with open(key, encoding="utf-8") as file:
            self.env = dict(os.environ, SERVER_PORT=str(port), SERVER_KEY=file.read(),
                            BOT_TOKEN="1000:secret")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def messages(self):
        """{(chat, id): text} of all that was written."""
        with open(self.ledger, encoding="utf-8") as file:
            entries = [json.loads(line) for line in file if line.endswith("\n")]
        return {(e["chat"], e["id"]): e["text"] for e in entries if e["kind"] == "new_message"}


class Program:
    """A program under test; its lines are read as they come."""

    def __init__(self, path, env):
        self.name, self.lines, self.said = os.path.basename(path), [], ""
        self.process = subprocess.Popen([path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        universal_newlines=True, env=env)
        self.readers = [threading.Thread(target=self.read_lines),
                        threading.Thread(target=self.read_said)]
        for reader in self.readers:
            reader.start()

    def read_lines(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def read_said(self):
        self.said = self.process.stderr.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self.readers:
            reader.join()

    def until(self, condition):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and self.process.poll() is None and not condition():
            time.sleep(0.05)

    def end(self):
        """Ask it to end, in good order."""
        if check(self.process.poll() is None, self.name + " ended by itself"):
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            status = "none: it goes on"
            self.process.kill()
        for reader in self.readers:
            reader.join()
        check(status == 0, "%s: status %s, and it said:\n%s" % (self.name, status, self.said[-600:]))

    def messages(self):
        """What it printed as "message CHAT ID"."""
        return [(line.split()[1], int(line.split()[2])) for line in list(self.lines)
                if line.startswith("message ")]


def compile_example(folder, name, found, more=(), sources=()):
    env, prefix, lib = found
    program = os.path.join(folder, name)
    files = [os.path.join(user.ROOT, "tests/embed", source) for source in (name + ".c", *sources)]
    done = user.run(["cc", "-D_GNU_SOURCE", "-g", "-Wall", "-Wextra", "-Werror", *files,
                     *user.flags(env, prefix, "--cflags", "--libs"), "-Wl,-rpath," + lib,
                     *more, "-o", program])
    check(done.returncode == 0, name + ".c does not compile:\n" + done.stdout[:2000])
    return program if done.returncode == 0 else None


def side_by_side(run, cases):
    """They wait more than they compute."""
    with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
        list(pool.map(run, cases))


def compare(name, got, wanted):
    """Every message once, in each chat in order."""
    check(len(wanted) == EVENTS, "%s: the ledger has %d messages" % (name, len(wanted)))
    lost = [key for key in wanted if key not in set(got)]
    check(not lost, "%s: %d messages did not come, such as %s" % (name, len(lost), lost[:3]))
    check(len(set(got)) == len(got), "%s: %d messages came twice" % (name, len(got) - len(set(got))))
    check(set(got) <= set(wanted), name + ": messages came that nobody wrote")
    last, late = {}, []
    for chat, number in got:
        if number < last.get(chat, 0):
            late.append((chat, number))
        last[chat] = number
    check(not late, "%s: %d messages came out of order, such as %s" % (name, len(late), late[:3]))


def asked(ledger):
    """How many differences the server answered."""
    with open(ledger, encoding="utf-8") as file:
        return sum('"kind":"difference"' in line for line in file)


# --- inside GLib's main loop -----------------------------------------------------------------

def glib_loop(folder, found):
    package = user.run(["pkg-config", "--cflags", "--libs", "glib-2.0"])
    if package.returncode != 0:
        print("skipped: glib_loop: pkg-config finds no glib-2.0 (Debian: libglib2.0-dev)")
        return
    program = compile_example(folder, "glib_loop", found, package.stdout.split())
    if program is None:
        return
    with Server(folder, "glib_loop", TRAFFIC) as server, Program(program, server.env) as p:
        p.until(lambda: len(p.messages()) >= EVENTS)
        time.sleep(QUIET_S)
        p.end()
        compare(p.name, p.messages(), server.messages())
        check(asked(server.ledger) > 0, "glib_loop: nothing was lost, so nothing was shown")
        last = p.lines[-1] if p.lines else ""
        if check(last.startswith("end "), "glib_loop did not count: " + last):
            count = dict(word.split("=") for word in last.split()[1:])
            check(int(count["ticks"]) > 0, "GLib's own timer did not run: " + last)
            # A source that is always ready turns a hundred times as often.
            check(int(count["turns"]) < 20 * EVENTS, "it ran without need: " + last)


# --- beside an HTTP server -------------------------------------------------------------------

def get(connection, path):
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read().decode("utf-8")
    if (answer.status, answer.getheader("Content-Type")) != (200, "application/json"):
        raise ValueError("GET %s: %d %s" % (path, answer.status, body))
    return json.loads(body)


def http_flow(p, port):
    """Ask again and again, on one connection and on new ones, until all messages are there.
    Returns the last answers."""
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    end = time.monotonic() + PATIENCE_S
    seen, between, backwards = 0, 0, 0
    while seen < EVENTS and time.monotonic() < end and p.process.poll() is None:
        new = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        messages = get(new, "/messages?why=not")
        stats = get(kept, "/stats")
        new.close()
        backwards += messages["seen"] < seen or stats["updates"] < messages["seen"]
        seen = messages["seen"]
        between += 0 < seen < EVENTS
        last = {}
        for m in messages["messages"]:
            backwards += m["id"] <= last.get(m["chat"], 0)
            last[m["chat"]] = m["id"]
        time.sleep(0.01)
    check(between > 0, "http_beside: no answer came while updates flowed")
    check(backwards == 0, "http_beside: %d answers contradict those before" % backwards)
    time.sleep(QUIET_S)
    result = get(kept, "/stats"), get(kept, "/messages")
    kept.close()
    return result


def talk(port, request):
    """All that is answered to these bytes."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as s:
        s.sendall(request)
        s.shutdown(socket.SHUT_WR)
        answer = b""
        while True:
            some = s.recv(65536)
            if not some:
                return answer
            answer += some


HOST = b"Host: localhost\r\n"
HTTP_CASES = [  # request, statuses of the answers, why
    (b"GET /nothing HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", [404], "no such page"),
    (b"GET /stats2 HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", [404], "only begins alike"),
    (b"DELETE /stats HTTP/1.1\r\n" + HOST + b"\r\n", [405], "another method"),
    (b"GET /stats HTTP/1.1\r\n\r\n", [400], "HTTP/1.1 wants a host"),
    (b"GET /stats HTTP/1.0\r\n\r\nGET /stats HTTP/1.0\r\n\r\n", [200], "HTTP/1.0: one answer"),
    (b"\x16\x03\x01 nonsense\r\n\r\n", [400], "no request"),
    (b"POST /stats HTTP/1.1\r\n" + HOST + b"Content-Length: 40\r\n\r\nGET /stats HTTP/1.1\r\n\r\n",
     [413], "a body is not taken for a request"),
    (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", [431], "too long"),
    (2 * (b"GET /stats HTTP/1.1\r\n" + HOST + b"\r\n") + b"GET /messages HTTP/1.1\r\n" + HOST +
     b"connection: CLOSE\r\n\r\n", [200, 200, 200], "three at once"),
]


def http_cases(port):
    idle = socket.create_connection(("127.0.0.1", port), PATIENCE_S)  # never asks
    for request, wanted, why in HTTP_CASES:
        answer = talk(port, request)
        statuses = [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
        check(statuses == wanted, "http_beside: %s: %s instead of %s" % (why, statuses, wanted))
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as half:
        half.sendall(b"GET /sta")  # and hangs up
    return idle


def http_beside(folder, found):
    program = compile_example(folder, "http_beside", found, ["-luv"])
    if program is None:
        return
    with Server(folder, "http_beside", TRAFFIC) as server, Program(program, server.env) as p:
        p.until(lambda: p.lines)
        if not check(p.lines, "http_beside does not listen"):
            return
        port = int(p.lines[0].split()[1])
        try:
            stats, last = http_flow(p, port)
        except (OSError, http.client.HTTPException, ValueError, KeyError) as wrong:
            check(False, "http_beside: %r" % wrong)
            return
        idle = http_cases(port)
        p.end()
        idle.close()
        written = server.messages()
        check(last["seen"] == EVENTS == len(written), "http_beside: %d messages" % last["seen"])
        check(stats["updates"] == EVENTS, "http_beside: %d updates" % stats["updates"])
        check(stats["caught_up"] is True, "http_beside did not catch up")
        check(stats["gaps"] > 0 and stats["gaps"] == stats["healed"] + stats["fetched"],
              "http_beside: gaps %s" % stats)
        check(0 < asked(server.ledger) <= stats["differences"], "http_beside: %s" % stats)
        wrong = [m for m in last["messages"]
                 if not written.get((m["chat"], m["id"]), "").startswith(m["text"])]
        check(len(last["messages"]) == 32 and not wrong, "http_beside: messages %s" % wrong[:2])


# --- counting once ---------------------------------------------------------------------------

KILLS = 6


def counted(state):
    """{(chat, id): times} of the example's own table."""
    kinds = {1: "user", 2: "chat", 3: "channel"}
    with contextlib.closing(sqlite3.connect(state, timeout=10)) as db:
        return {("%s:%d" % (kinds[kind], chat), number): times for kind, chat, number, times in
                db.execute("select kind, chat, id, times from my_messages")}


def count_once(folder, found):
    """Killed again and again, it has counted every message exactly once."""
    if not user.HAS_SQLITE:
        print("skipped: count_once: built without SQLite")
        return
    program = compile_example(folder, "count_once", found, ["-luv", "-lsqlite3"])
    if program is None:
        return
    state = os.path.join(folder, "count_once.db")
    rng = random.Random(7)
    with Server(folder, "count_once", TRAFFIC) as server:
        env = dict(server.env, STATE=state)
        for _ in range(KILLS):
            with Program(program, env) as p:
                p.until(lambda: p.lines)
                time.sleep(rng.uniform(0, 0.4))  # and out of it, it is killed
        with Program(program, env) as p:
            p.until(lambda: len(counted(state)) >= EVENTS)
            time.sleep(QUIET_S)
            p.end()
            last = p.lines[-1] if p.lines else ""
            check(re.fullmatch(r"end drained=\d+ journalled=0 unknown=0", last), "report: " + last)
        times = counted(state)
        written = set(server.messages())
        check(set(times) == written and len(written) == EVENTS,
              "count_once: %d of %d messages" % (len(times), len(written)))
        doubled = {key: n for key, n in times.items() if n != 1}
        check(not doubled, "count_once: counted more than once: %s" % list(doubled.items())[:3])


# --- routes that remember, a sink -----------------------------------------------------------

def killed_lives(program, env, done):
    """Kill the program again and again, then let one life end in good order. All that it said."""
    rng = random.Random(11)
    lines = []
    for _ in range(KILLS):
        with Program(program, env) as p:
            p.until(lambda: p.lines)
            time.sleep(rng.uniform(0, 0.4))  # and out of it, it is killed
        lines += p.lines
    with Program(program, env) as p:
        p.until(lambda: done(lines + list(p.lines)))
        time.sleep(QUIET_S)
        p.end()
        last = p.lines[-1] if p.lines else ""
        check(last.startswith("end ") and last.endswith("unknown=0"), p.name + ": " + last)
    return lines + p.lines


def remember(folder, found):
    """Killed again and again, every chat's count is right: data and message are one commit."""
    if not user.HAS_SQLITE:
        print("skipped: remember: built without SQLite")
        return
    program = compile_example(folder, "remember", found, ["-luv"])
    if program is None:
        return

    def counts(lines):
        """{chat: the last number said}; a line that was cut by the kill is none."""
        split = [line.split() for line in lines if re.fullmatch(r"count \S+ \d+", line)]
        return {chat: int(number) for _, chat, number in split}

    def remembered(where):
        name = "remember_" + where
        with Server(folder, name, TRAFFIC) as server:
            env = dict(server.env, STATE=os.path.join(folder, name + ".db"), WHERE=where)
            lines = killed_lives(program, env, lambda said: sum(counts(said).values()) >= EVENTS)
            wanted = {}
            for chat, _ in server.messages():
                wanted[chat] = wanted.get(chat, 0) + 1
            got = counts(lines)
            wrong = [(c, got.get(c), n) for c, n in wanted.items() if got.get(c) != n]
            check(sum(wanted.values()) == EVENTS and got == wanted, "%s: %s" % (name, wrong[:5]))

    side_by_side(remembered, ("loop", "thread", "transaction"))


def archive(folder, found):
    """Killed again and again, the sink's database has every message."""
    if not user.HAS_SQLITE:
        print("skipped: archive: built without SQLite")
        return
    program = compile_example(folder, "archive", found, ["-luv", "-lsqlite3"])
    if program is None:
        return
    state = os.path.join(folder, "archive.db")

    def rows():
        kinds = {1: "user", 2: "chat", 3: "channel"}
        with contextlib.closing(sqlite3.connect(state + ".archive", timeout=10)) as db:
            return {("%s:%d" % (kinds[kind], chat), number): text for kind, chat, number, text in
                    db.execute("select kind, chat, id, text from messages")}

    with Server(folder, "archive", TRAFFIC) as server:
        killed_lives(program, dict(server.env, STATE=state), lambda _: len(rows()) >= EVENTS)
        wanted = server.messages()
        got = rows()
        check(len(wanted) == EVENTS and got == wanted, "archive: %d of %d messages, %d others" % (
            len(set(got) & set(wanted)), len(wanted), len(set(got) - set(wanted))))


# --- posts ------------------------------------------------------------------------------------

def post_linked(folder, found):
    """Four posts, each sent once; a title changes: its note and the list are edited, no other. The
    first lives are killed."""
    if not user.HAS_SQLITE:
        print("skipped: post_linked: built without SQLite")
        return
    program = compile_example(folder, "post_linked", found, ["-luv", "-lsqlite3"])
    if program is None:
        return
    channel = 4200000001
    rng = random.Random(13)
    with Server(folder, "post_linked", ["--events", "0"]) as server:
        env = dict(server.env, STATE=os.path.join(folder, "post_linked.db"), CHANNEL=str(channel))

        def shown():
            """{id: (text, addresses, how often it was edited)}."""
            messages = {}
            with open(server.ledger, encoding="utf-8") as file:
                for line in file:
                    if not line.endswith("\n"):
                        break  # it is being written
                    e = json.loads(line)
                    if e["kind"] in ("new_message", "edit_message"):
                        edits = messages[e["id"]][2] + 1 if e["id"] in messages else 0
                        messages[e["id"]] = (e["text"], e.get("urls", []), edits)
            return messages

        def link(number):
            return "https://t.me/c/%d/%d" % (channel, number)

        for _ in range(2):
            with Program(program, env) as p:
                time.sleep(rng.uniform(0, 0.5))  # and out of it, it is killed
        with Program(program, env) as p:
            p.until(lambda: any("Green" in text and text.startswith("Notes")
                                for text, _, _ in shown().values()))
            time.sleep(QUIET_S)
            p.end()
        ids = {text.split(".")[0].split(":")[0]: number for number, (text, _, _) in shown().items()}
        check(sorted(ids) == ["Green apples", "Notes", "Pears", "Plums"] and len(shown()) == 4,
              "post_linked: %s" % shown())
        if len(ids) != 4 or "Notes" not in ids:
            return
        notes = [ids.get("Green apples"), ids.get("Pears"), ids.get("Plums")]
        text, urls, _ = shown()[ids["Notes"]]
        check(text == "Notes:\n- Green apples\n- Pears\n- Plums" and
              urls == [link(number) for number in notes], "post_linked: %r %s" % (text, urls))
        check(all(shown()[number][1] == [link(ids["Notes"])] for number in notes),
              "post_linked: links back: %s" % shown())
        # Sent before the list was, each note is edited once for its link; the first once more, or
        # both changes in one.
        edits = [shown()[number][2] for number in notes]
        check(edits[0] in (1, 2) and edits[1:] == [1, 1], "post_linked: edits %s" % edits)
        last = p.lines[-1] if p.lines else ""
        check(last == "end unknown=0", "post_linked: " + last)


# --- the engine alone ------------------------------------------------------------------------

def engine_epoll(folder, found):
    program = compile_example(folder, "engine_epoll", found, ["-lcrypto", "-lz"],
                              ["tiny_mtproto.c"])
    if program is None:
        return
    with Server(folder, "engine_epoll", TRAFFIC + ["--gzip", "0.2"]) as server, \
            Program(program, server.env) as p:
        p.until(lambda: len(p.messages()) >= EVENTS)
        time.sleep(QUIET_S)
        p.end()
        compare(p.name, p.messages(), server.messages())
        check(asked(server.ledger) > 0, "engine_epoll: nothing was lost, so nothing was shown")
        last = p.lines[-1] if p.lines else ""
        if check(last.startswith("end "), "engine_epoll did not count: " + last):
            count = dict(word.split("=") for word in last.split()[1:])
            check(int(count["turns"]) < 20 * EVENTS, "it ran without need: " + last)


def readme():
    """README shows pieces of these programs, as they are."""
    with open(os.path.join(user.ROOT, "README.md"), encoding="utf-8") as file:
        text = file.read()
    shown = []
    for title in ("Nothing lost, nothing doubled", "Routes and sinks", "Your event loop"):
        section = re.search(r"^## %s\n(.*?)^## " % title, text, re.M | re.S)
        if check(section is not None, "README.md has no section '%s'" % title):
            shown += re.findall(r"`(tests/embed/\w+\.c)`.*?```c\n(.*?)```", section[1], re.S)
    check([os.path.basename(path) for path, _ in shown] ==
          ["count_once.c", "count_once.c", "remember.c", "archive.c", "glib_loop.c",
           "http_beside.c", "engine_epoll.c"],
          "README shows %d programs" % len(shown))
    for path, piece in shown:
        with open(os.path.join(user.ROOT, path), encoding="utf-8") as file:
            check(piece in file.read(), "README shows what is not in " + path)


# What README's text about sending once is tried with: a row is there with what it belongs to, or
# neither is.
SENDER_HEAD = r"""
#include <gapless/gapless.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static int mark_as_paid(sqlite3 *db, int64_t order)
{
    char *sql = sqlite3_mprintf("INSERT INTO paid(id) VALUES(%lld)", (long long)order);
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

    sqlite3_free(sql);
    return rc == SQLITE_OK ? 0 : -1;
}
"""
SENDER_MAIN = r"""
static int print_row(void *arg, const gap_outbox_row_t *row)
{
    (void)arg;
    printf("row %lld for %d:%lld, kind %d\n", (long long)row->row, (int)row->chat.kind,
           (long long)row->chat.id, (int)row->kind);
    return 0;
}
int main(void)
{
    const gap_peer_t customer = {.kind = GAP_PEER_USER, .id = 42};
    sqlite3 *db;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK) return 1;
    if (sqlite3_exec(db, "CREATE TABLE paid(id INTEGER UNIQUE)", NULL, NULL, NULL) != 0) return 2;
    if (order_paid(db, customer, 7) != 0) return 3;
    if (order_paid(db, customer, 7) == 0) return 4; /* nothing may be paid for twice */
    if (order_paid(db, customer, 8) != 0) return 5;
    if (gap_outbox_list(db, 0, 0, 100, print_row, NULL) != 0) return 6;
    return sqlite3_close(db) == SQLITE_OK ? 0 : 7;
}
"""
# Pieces of README that are no programs: under which title, what stands around them, and what the
# program says then.
PIECES = {
    "Send once": (SENDER_HEAD, SENDER_MAIN, "row 1 for 1:42, kind 1\nrow 2 for 1:42, kind 1\n"),
}


def readme_blocks():
    """[(title, text)] of all C code."""
    with open(os.path.join(user.ROOT, "README.md"), encoding="utf-8") as file:
        sections = re.split(r"^## (.*)\n", file.read(), flags=re.M)
    found = []
    for title, text in zip(sections[1::2], sections[2::2]):
        found += [(title, code) for code in re.findall(r"^```c\n(.*?)^```$", text, re.M | re.S)]
    check(sum(section.count("```c\n") for section in sections) == len(found),
          "README has C code that is not found")
    return found


def readme_compiles(folder, found):
    """All of README's C code: what stands in a program of this folder is compiled with it, the rest
    here, as it is or with what is said to stand around it."""
    env, prefix, lib = found
    programs = ""
    for name in sorted(os.listdir(os.path.join(user.ROOT, "tests/embed"))):
        if name.endswith(".c"):
            with open(os.path.join(user.ROOT, "tests/embed", name), encoding="utf-8") as file:
                programs += file.read()
    blocks = readme_blocks()
    check(len(blocks) > 10, "README shows only %d pieces of C" % len(blocks))
    for i, (title, code) in enumerate(blocks):
        if code in programs:
            continue
        name = "README's code under '%s'" % title
        head, main_function, said = PIECES.get(title, ("", "", None))
        if not check(head or "#include <gapless/" in code,
                     name + " is compiled by no test: see PIECES"):
            continue
        if said is not None and not user.HAS_SQLITE:
            print("skipped: %s: built without SQLite" % name)
            continue
        source = os.path.join(folder, "readme%d" % i)
        with open(source + ".c", "w", encoding="utf-8") as file:
            file.write(head + code + main_function)
        has_main = "int main(" in code + main_function
        wanted = ["--cflags", "--libs"] if has_main else ["--cflags"]
        more = ["-Wl,-rpath," + lib] if has_main else ["-c"]
        done = user.run(["cc", "-Wall", "-Wextra", "-Werror", source + ".c",
                         *user.flags(env, prefix, *wanted), *more,
                         *(["-lsqlite3"] if said is not None else []), "-o", source])
        if not check(done.returncode == 0, name + " does not compile:\n" + done.stdout[:2000]):
            continue
        if said is not None:
            done = user.run([source], timeout=PATIENCE_S)
            check((done.returncode, done.stdout) == (0, said),
                  "%s: status %d: %r" % (name, done.returncode, done.stdout))


def main():
    folder = tempfile.mkdtemp(prefix="examples-", dir=user.BUILD)
    try:
        readme()
        found = user.install(os.path.join(folder, "stage"))
        readme_compiles(folder, found)
        side_by_side(lambda example: example(folder, found),
                     (remember, count_once, archive))
        side_by_side(lambda example: example(folder, found),
                     (glib_loop, http_beside, post_linked, engine_epoll))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return user.finish()


if __name__ == "__main__":
    sys.exit(main())
