#!/usr/bin/env python3
"""Telethon, an independent client, between two data centres.

    telethon_homes.py DC_PROGRAM [--case NAME]...

Data centres 2 and 4 are two processes with keys of their own that find each other by a file. The
client knows only 2: a bot and a person whose home is 4 are sent there, and a file that lies in 4 is
fetched from there while the client stays where it is. Where each call went is in the ledgers. One
line a case, then "N passed, N failed".
"""
import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time

from telethon import TelegramClient, events
from telethon.network.connection import ConnectionTcpIntermediate
from telethon.sessions import MemorySession
from telethon.tl.types import InputDocumentFileLocation

from data_centre import PATIENCE_S, DataCentre

BOT_ID = 700002
PHONE_OF_4 = "9996641234"
CODE_OF_4 = "44444"
DOCUMENT = 77
FILE_BYTES = 65536
EVENTS = 40


class Server(DataCentre):
    """One of the two."""

    def __init__(self, program, directory, number, args):
        super().__init__(program, directory, number, [
            "--peer-dc-file", os.path.join(directory, "data-centres"), "--channels", "0", "--users",
            "5", "--events", str(EVENTS), "--kinds", "new_message", *args])

    def calls(self, method):
        """The errors of all calls of a method; None: it was answered."""
        calls = self.lines(kind="call", method=method)
        if any(l["dc"] != self.number for l in calls):
            raise RuntimeError(f"the ledger of {self.number} tells of calls elsewhere: {calls}")
        return [l.get("error") for l in calls]


def client_of(server):
    TelegramClient._config = None  # is kept for all clients of a process
    session = MemorySession()
    session.set_dc(server.number, "127.0.0.1", server.port)
    return TelegramClient(session, 1, "hash", connection=ConnectionTcpIntermediate, catch_up=True,
                          sequential_updates=True)


def check(condition, what):
    if not condition:
        raise RuntimeError(what)


async def follows(two, four, method, error, **how):
    """Sign in at 2, be sent to 4, and get there all that happens there."""
    client = client_of(two)
    got = []

    @client.on(events.NewMessage())
    async def _(event):
        got.append(event.message.message)

    await client.start(**how)
    me = await client.get_me()
    check(client.session.dc_id == 4 and client.session.port == four.port,
          f"moved to {client.session.dc_id}, port {client.session.port}")
    check(two.calls(method)[0] == error, f"2 refused: {two.calls(method)}")
    check(four.calls(method) and None in four.calls(method), f"4 took: {four.calls(method)}")
    patience = time.monotonic() + PATIENCE_S
    while len(got) < EVENTS and time.monotonic() < patience:
        await asyncio.sleep(0.05)
    await client.disconnect()
    sent = [l["text"] for l in four.lines(kind="new_message")]
    check(sorted(got) == sorted(sent), f"{len(sent)} messages sent, {len(got)} received")
    check(not two.lines(kind="new_message"), "traffic where nobody is")
    return me


async def bot_is_sent_home(two, four):
    me = await follows(two, four, "auth.importBotAuthorization", "USER_MIGRATE_4",
                       bot_token=f"{BOT_ID}:secret")
    check(me.id == BOT_ID and me.bot, f"somebody else: {me}")


async def person_is_sent_home(two, four):
    me = await follows(two, four, "auth.sendCode", "PHONE_MIGRATE_4", phone=PHONE_OF_4,
                       code_callback=lambda: CODE_OF_4)
    check(me.phone == PHONE_OF_4 and not me.bot, f"somebody else: {me}")


async def network_has_a_home(two, four):
    me = await follows(two, four, "auth.importBotAuthorization", "NETWORK_MIGRATE_4",
                       bot_token=f"{BOT_ID}:secret")
    check(me.id == BOT_ID, f"somebody else: {me}")


async def file_lies_elsewhere(two, four):
    client = client_of(two)
    await client.start(bot_token=f"{BOT_ID}:secret")
    where = InputDocumentFileLocation(DOCUMENT, 0, b"", "")
    data = b""
    async for piece in client.iter_download(where, request_size=16384):
        data += bytes(piece)
    check(client.session.dc_id == 2, "one file is no reason to move")
    check((await client.get_me()).id == BOT_ID, "still signed in where it was")
    await client.disconnect()
    lines = data.decode().split("\n")
    check(len(data) == FILE_BYTES, f"{len(data)} bytes")
    check(all(line.strip() == f"data centre 4, document {DOCUMENT}, line {i}"
              for i, line in enumerate(lines[:-1])), f"another file: {lines[:2]}")
    check(two.calls("upload.getFile") == ["FILE_MIGRATE_4"], str(two.calls("upload.getFile")))
    check(two.calls("auth.exportAuthorization") == [None], "exported once")
    check(four.calls("auth.importAuthorization") == [None], "imported once")
    check(set(four.calls("upload.getFile")) == {None}, str(four.calls("upload.getFile")))
    check(not four.calls("auth.importBotAuthorization"), "it did not sign in there")


CASES = {
    "bot_is_sent_home": (bot_is_sent_home, ["--bots-dc", "4"], ""),
    "person_is_sent_home": (person_is_sent_home, [], ""),
    "network_has_a_home": (network_has_a_home, [],
                           "answer always auth.importBotAuthorization migrate NETWORK 4\n"
                           f"at 4 {EVENTS} message user:1\n"),
    "file_lies_elsewhere": (file_lies_elsewhere, [],
                            "answer always upload.getFile migrate FILE 4\n"),
}


async def run(program, name):
    function, args, script = CASES[name]
    with tempfile.TemporaryDirectory() as directory:
        if script:
            path = os.path.join(directory, "script")
            with open(path, "w", encoding="ascii") as file:
                file.write(script)
            args = args + ["--script", path]
        async with Server(program, directory, 2, args) as two:
            async with Server(program, directory, 4, args) as four:
                await asyncio.wait_for(function(two, four), 60)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--case", action="append", choices=CASES)
    args = parser.parse_args()
    logging.basicConfig(level=logging.CRITICAL)
    passed = failed = 0
    for name in args.case or CASES:
        start = time.monotonic()
        problem = None
        try:
            asyncio.run(run(args.program, name))
        except Exception as error:  # whatever it is, this case failed and the next one runs
            problem = error
        print(f"{'ok' if problem is None else 'FAILED'}: {name} "
              f"[{time.monotonic() - start:.1f} s]")
        if problem is not None:
            print(f"    {type(problem).__name__}: {problem}")
        passed, failed = passed + (problem is None), failed + (problem is not None)
        sys.stdout.flush()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
