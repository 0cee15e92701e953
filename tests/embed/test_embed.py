#!/usr/bin/env python3
"""What a user of the library does: install it, find it with pkg-config, compile against it, run.

Usage: test_embed.py SOURCE_ROOT BUILD_ROOT [no-sqlite]. The bot is the very text of README.md. It runs against
gapless-dc and must answer messages. Every public header is compiled alone as C11 and as C++, and a
C++ program that uses the whole interface links. Ends with "N passed, N failed".
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT, BUILD = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
HAS_SQLITE = "no-sqlite" not in sys.argv[3:]
BOT_LINES_MAX = 40
ANSWERS_WANTED = 20
PATIENCE_S = 30

passed = 0
failures = []
counting = threading.Lock()


def check(ok, message):
    global passed
    with counting:
        if ok:
            passed += 1
        else:
            failures.append(message)
    return ok


def run(command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          universal_newlines=True, **more)


def install(stage):
    """Install into a directory of our own; returns the environment in which pkg-config finds it."""
    done = run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet"],
               env=dict(os.environ, DESTDIR=stage))
    check(done.returncode == 0, "meson install: " + done.stdout[-600:])
    for folder, _, files in os.walk(stage):
        if "gapless.pc" in files:
            prefix = os.path.dirname(os.path.dirname(os.path.dirname(folder)))
            return dict(os.environ, PKG_CONFIG_PATH=folder), prefix, os.path.dirname(folder)
    check(False, "gapless.pc was not installed")
    sys.exit(finish())


def flags(env, prefix, *what):
    """pkg-config with the prefix where the copy really lies."""
    done = run(["pkg-config", "--define-variable=prefix=" + prefix, *what, "gapless"], env=env)
    check(done.returncode == 0, "pkg-config: " + done.stdout)
    return done.stdout.split()


def readme_code(title):
    """The first C text under a title."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        text = file.read()
    match = re.search(r"^## %s\n(?:(?!^## ).)*?^```c\n(.*?)^```" % title, text, re.M | re.S)
    if not check(match is not None, "README.md has no C program under '## %s'" % title):
        sys.exit(finish())
    return match[1]


def bot_text():
    code = readme_code("Echo bot")
    lines = code.count("\n")
    check(lines <= BOT_LINES_MAX, "the echo bot has %d lines, over %d" % (lines, BOT_LINES_MAX))
    return code


def compile_bot(folder, code, env, prefix, lib):
    source = os.path.join(folder, "bot.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write(code)
    shared = os.path.join(folder, "bot")
    done = run(["cc", "-Wall", "-Wextra", "-Werror", source, *flags(env, prefix, "--cflags", "--libs"),
                "-Wl,-rpath," + lib, "-o", shared])
    check(done.returncode == 0, "README's bot does not compile:\n" + done.stdout)
    static = os.path.join(folder, "bot-static")
    libs = [os.path.join(lib, "libgapless.a") if flag == "-lgapless" else flag
            for flag in flags(env, prefix, "--cflags", "--libs", "--static")]
    done = run(["cc", source, *libs, "-o", static])
    check(done.returncode == 0, "README's bot does not link statically:\n" + done.stdout)
    return shared, static


def answers(ledger):
    """How many sendMessage calls succeeded, and how many did not."""
    good = bad = 0
    with open(ledger, encoding="utf-8") as file:
        for line in file:
            if not line.endswith("\n"):
                break
            entry = json.loads(line)
            if entry["kind"] == "call" and entry.get("method") == "messages.sendMessage":
                good, bad = (good, bad + 1) if entry.get("error") else (good + 1, bad)
    return good, bad


def wait_for_answers(ledger, bot):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and bot.poll() is None:
        if answers(ledger)[0] >= ANSWERS_WANTED:
            break
        time.sleep(0.1)
    return answers(ledger)


def run_bot(folder, program):
    name = os.path.basename(program)
    key, ledger = os.path.join(folder, "key.pem"), os.path.join(folder, name + ".ledger")
    server = subprocess.Popen(
        [os.path.join(BUILD, "gapless-dc"), "--pubkey-out", key, "--ledger", ledger, "--events",
         "300", "--channels", "5", "--kinds", "new_message", "--loss", "0.05", "--reorder", "0.1"],
        stdout=subprocess.PIPE, universal_newlines=True)
    bot = None
    try:
        port = json.loads(server.stdout.readline())["port"]
        with open(key, encoding="utf-8") as file:
            pem = file.read()
        bot = subprocess.Popen([program], stderr=subprocess.PIPE, universal_newlines=True, env=dict(
            os.environ, SERVER_PORT=str(port), SERVER_KEY=pem, API_ID="1", API_HASH="x",
            BOT_TOKEN="1000:secret"))
        good, bad = wait_for_answers(ledger, bot)
        check(bot.poll() is None, name + " ended by itself")
        check(good >= ANSWERS_WANTED, "%s: %d answers, wanted %d" % (name, good, ANSWERS_WANTED))
        check(bad == 0, "%s: %d answers were refused" % (name, bad))
    finally:
        for process in (bot, server):
            if process is not None:
                process.send_signal(signal.SIGTERM)
                process.wait()
    check("caught up" in bot.stderr.read(), name + " did not say that it caught up")


def wrong_token(folder, program):
    """One clear line, and an end."""
    server = subprocess.Popen([os.path.join(BUILD, "gapless-dc"), "--pubkey-out",
                               os.path.join(folder, "key.pem")],
                              stdout=subprocess.PIPE, universal_newlines=True)
    try:
        port = json.loads(server.stdout.readline())["port"]
        with open(os.path.join(folder, "key.pem"), encoding="utf-8") as file:
            pem = file.read()
        done = run([program], timeout=PATIENCE_S, env=dict(
            os.environ, SERVER_PORT=str(port), SERVER_KEY=pem, API_ID="1", API_HASH="x",
            BOT_TOKEN="not a token"))
        check("@BotFather" in done.stdout, "a wrong token is not explained: " + done.stdout)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


# What README's text about finding people is tried with: it writes to a channel and to nobody.
FINDER_MAIN = r"""
#include <stdlib.h>
static char hello[] = "hello";
static void on_event(gap_client_t *client, const gap_event_t *event, void *data)
{
    (void)data;
    if (event->kind == GAP_CLIENT_FATAL) exit(1);
    if (event->kind != GAP_CLIENT_CAUGHT_UP) return;
    if (write_to(client, "https://t.me/channel1", hello) != 0) exit(2);
    if (write_to(client, "@nobody_at_all", hello) != 0) exit(2);
}
int main(void)
{
    gap_client_config_t config = {
        .host = "127.0.0.1",
        .port = (uint16_t)atoi(getenv("SERVER_PORT")),
        .rsa_key = getenv("SERVER_KEY"),
        .api_id = 1,
        .api_hash = "x",
        .bot_token = "1000:secret",
    };
    gap_client_t *client;
    if (gap_client_open(uv_default_loop(), &config, &client) != 0) return 3;
    gap_client_on_event(client, on_event, NULL);
    if (gap_client_start(client) != 0) return 3;
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
"""


# What README's text about what one sees is tried with: it ends when a message has been delivered.
WATCHER_MAIN = r"""
#include <stdlib.h>
#include <uv.h>
static int on_message(gap_update_t *update, const gap_message_t *message, void *data)
{
    (void)data;
    if (message->chat.kind != GAP_PEER_CHANNEL) return 0;
    print_channel(gap_update_client(update), message->chat.id);
    exit(0);
}
int main(void)
{
    gap_client_config_t config = {
        .host = "127.0.0.1",
        .port = (uint16_t)atoi(getenv("SERVER_PORT")),
        .rsa_key = getenv("SERVER_KEY"),
        .api_id = 1,
        .api_hash = "x",
        .bot_token = "1000:secret",
        .tap = on_decision,
    };
    gap_client_t *client;
    if (gap_client_open(uv_default_loop(), &config, &client) != 0) return 3;
    gap_client_on_event(client, on_event, NULL);
    gap_client_on_message(client, on_message, NULL);
    if (gap_client_start(client) != 0) return 3;
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
"""


def run_watcher(folder, env, prefix, lib):
    source, program = os.path.join(folder, "watcher.c"), os.path.join(folder, "watcher")
    with open(source, "w", encoding="utf-8") as file:
        file.write(readme_code("What you see") + WATCHER_MAIN)
    done = run(["cc", "-Wall", "-Wextra", "-Werror", source,
                *flags(env, prefix, "--cflags", "--libs"), "-Wl,-rpath," + lib, "-luv", "-o",
                program])
    if not check(done.returncode == 0, "README's text about what one sees does not compile:\n" +
                 done.stdout):
        return
    key = os.path.join(folder, "watch.pem")
    server = subprocess.Popen(
        [os.path.join(BUILD, "gapless-dc"), "--pubkey-out", key, "--events", "50", "--channels",
         "2", "--kinds", "new_message"], stdout=subprocess.PIPE, universal_newlines=True)
    try:
        port = json.loads(server.stdout.readline())["port"]
        with open(key, encoding="utf-8") as file:
            pem = file.read()
        done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False, universal_newlines=True, timeout=PATIENCE_S,
                              env=dict(os.environ, SERVER_PORT=str(port), SERVER_KEY=pem))
        check(done.returncode == 0, "the watcher failed: " + done.stderr)
        check("updateNewChannelMessage delivered: " in done.stderr,
              "the tap did not tell of a delivery: " + done.stderr)
        check(re.fullmatch(r"\d+ updates, 0 gaps, 0 of them fetched; 0 missing for 0 ms\n",
                           done.stdout), "the counters were: " + done.stdout)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def compile_finder(folder, env, prefix, lib):
    source, program = os.path.join(folder, "finder.c"), os.path.join(folder, "finder")
    with open(source, "w", encoding="utf-8") as file:
        file.write(readme_code("Finding people") + FINDER_MAIN)
    done = run(["cc", "-Wall", "-Wextra", "-Werror", source,
                *flags(env, prefix, "--cflags", "--libs"), "-Wl,-rpath," + lib, "-luv", "-o",
                program])
    check(done.returncode == 0, "README's text about finding people does not compile:\n" +
          done.stdout)
    return program


def run_finder(folder, program):
    key, ledger = os.path.join(folder, "key.pem"), os.path.join(folder, "finder.ledger")
    server = subprocess.Popen(
        [os.path.join(BUILD, "gapless-dc"), "--pubkey-out", key, "--ledger", ledger, "--events",
         "0", "--channels", "5"], stdout=subprocess.PIPE, universal_newlines=True)
    finder = None
    try:
        port = json.loads(server.stdout.readline())["port"]
        with open(key, encoding="utf-8") as file:
            pem = file.read()
        finder = subprocess.Popen([program], stderr=subprocess.PIPE, universal_newlines=True,
                                  env=dict(os.environ, SERVER_PORT=str(port), SERVER_KEY=pem))
        said = finder.stderr.readline()
        check(said == "nobody has this username\n", "the finder said: " + said)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and answers(ledger) == (0, 0):
            time.sleep(0.1)
        check(answers(ledger) == (1, 0), "the finder did not write to the channel")
    finally:
        for process in (finder, server):
            if process is not None:
                process.send_signal(signal.SIGTERM)
                process.wait()


def person(folder, env, prefix, lib):
    """README's sign-in of a person: by its questions; the second start asks none."""
    source, program = os.path.join(folder, "person.c"), os.path.join(folder, "person")
    with open(source, "w", encoding="utf-8") as file:
        file.write(readme_code("Sign in and stay signed in"))
    done = run(["cc", "-Wall", "-Wextra", "-Werror", source,
                *flags(env, prefix, "--cflags", "--libs"), "-Wl,-rpath," + lib, "-o", program])
    if not check(done.returncode == 0, "README's sign-in does not compile:\n" + done.stdout):
        return
    server = subprocess.Popen(
        [os.path.join(BUILD, "gapless-dc"), "--pubkey-out", os.path.join(folder, "key.pem"),
         "--password", "secret", "--events", "50"], stdout=subprocess.PIPE, universal_newlines=True)
    try:
        port = json.loads(server.stdout.readline())["port"]
        with open(os.path.join(folder, "key.pem"), encoding="utf-8") as file:
            pem = file.read()
        home = dict(os.environ, SERVER_PORT=str(port), SERVER_KEY=pem, API_ID="1", API_HASH="x")
        for answers in ("+9996621234\n22222\nsecret\n", ""):
            said = told(program, folder, home, answers)
            check("signed in" in said and "caught up" in said,
                  "README's sign-in, answers %r: %s" % (answers, said))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def told(program, folder, env, answers):
    """What a program says until it has caught up."""
    process = subprocess.Popen([program], cwd=folder, env=env, stdin=subprocess.PIPE,
                               stderr=subprocess.PIPE, universal_newlines=True)
    alarm = threading.Timer(PATIENCE_S, process.kill)
    alarm.start()
    process.stdin.write(answers)
    process.stdin.close()
    said = ""
    for line in process.stderr:
        said += line
        if "caught up" in line:
            break
    process.terminate()
    process.wait()
    alarm.cancel()
    process.stderr.close()
    return said


def headers(folder, env, prefix, lib):
    include = os.path.join(prefix, "include", "gapless")
    names = sorted(os.listdir(include))
    check(names == ["base.h", "client.h", "decision.h", "engine.h", "gapless.h", "message.h",
                    "outbox.h", "route.h", "runner.h", "sink.h", "store.h", "tl.h", "tl_api.h",
                    "tl_calls.h", "tl_mt.h", "update.h", "uv.h"], "installed headers: " + " ".join(names))
    for name in names:
        for compiler, suffix in ((["cc", "-std=c11"], ".c"), (["c++", "-std=c++17"], ".cc")):
            source = os.path.join(folder, "alone" + suffix)
            with open(source, "w", encoding="utf-8") as file:
                file.write("#include <gapless/%s>\n" % name)
            done = run(compiler + ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
                                   source, *flags(env, prefix, "--cflags")])
            check(done.returncode == 0, "%s alone, %s:\n%s" % (name, suffix, done.stdout[:600]))
    done = run(["cc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-c",
                os.path.join(ROOT, "tests/embed/file_storage.c"),
                *flags(env, prefix, "--cflags"), "-o", os.path.join(folder, "file_storage.o")])
    check(done.returncode == 0, "a storage of one's own does not compile:\n" + done.stdout[:2000])
    program = os.path.join(folder, "uses")
    done = run(["c++", "-std=c++17", "-Wall", "-Wextra", "-Werror",
                os.path.join(ROOT, "tests/embed/uses.cc"),
                *flags(env, prefix, "--cflags", "--libs"), "-Wl,-rpath," + lib, "-o", program])
    if check(done.returncode == 0, "a C++ program does not link:\n" + done.stdout[:2000]):
        done = run([program])
        check(done.returncode == 0, "the C++ program fails:\n" + done.stdout)


def finish():
    for failure in failures:
        print("embed: " + failure)
    print("%d passed, %d failed" % (passed, len(failures)))
    return 1 if failures else 0


def main():
    code = bot_text()
    folder = tempfile.mkdtemp(prefix="embed-", dir=BUILD)
    try:
        env, prefix, lib = install(os.path.join(folder, "stage"))
        headers(folder, env, prefix, lib)
        shared, static = compile_bot(folder, code, env, prefix, lib)
        finder = compile_finder(folder, env, prefix, lib)
        run_watcher(folder, env, prefix, lib)
        if not failures:
            run_finder(folder, finder)
            run_bot(folder, shared)
            run_bot(folder, static)
            wrong_token(folder, shared)
            if HAS_SQLITE:
                person(folder, env, prefix, lib)
            else:
                print("skipped: README's sign-in of a person: built without SQLite")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
