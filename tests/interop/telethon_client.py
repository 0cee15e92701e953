#!/usr/bin/env python3
"""Telethon, an independent client, against gapless-dc.

    telethon_client.py DC_PROGRAM [--transport NAME]... [--seed N]... [--events N] [--channels N]
                       [--rate N]

For every transport and seed one data centre with loss, reordering and doubling on, and one bot
that signs in through a relay. In the middle of the traffic the relay cuts the TCP connection, and
later the bot goes offline for a while and comes back with the state that it kept. What it received
is compared with the ledger, chat by chat: order across chats is nobody's promise. One line a case,
then "N passed, N failed".

The rate is one that Telethon keeps up with (its obfuscation is slow), and leaves traffic for after
the bot's return: on coming back Telethon asks only for channels that changed since the newest
update of any chat, and finds older gaps by the next push.
"""
import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
import time

from telethon import TelegramClient, events
from telethon.network import connection
from telethon.sessions import SQLiteSession

from data_centre import PATIENCE_S, DataCentre

TRANSPORTS = {
    "full": connection.ConnectionTcpFull,
    "abridged": connection.ConnectionTcpAbridged,
    "intermediate": connection.ConnectionTcpIntermediate,
    "obfuscated": connection.ConnectionTcpObfuscated,
}
DC_ID = 2
BOT_ID = 700001
KINDS = "new_message"
FAULTS = ["--loss", "0.05", "--reorder", "0.2", "--reorder-ms", "150", "--duplicate", "0.1"]
PAUSE_S = 0.4
DRAIN_S = 0.8  # its ciphers are slow: what has arrived may take a while
QUIET_S = 1.0  # after the last update, for doubles; above Telethon's gap wait of 0.5 s


class Relay:
    """A TCP relay that can cut what goes through it."""

    def __init__(self, port):
        self.target, self.writers, self.server, self.port = port, set(), None, 0
        self.accepted = 0
        self.flows = asyncio.Event()
        self.flows.set()

    async def open(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        self.accepted += 1
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        self.writers |= {writer, there_writer}
        await asyncio.gather(self.pump(reader, there_writer), self.pump(there_reader, writer))
        self.writers -= {writer, there_writer}

    async def pump(self, reader, writer):
        try:
            while True:
                data = await reader.read(65536)
                await self.flows.wait()
                if not data:
                    break
                writer.write(data)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        writer.close()

    def cut(self):
        for writer in self.writers:
            writer.transport.abort()

    def close(self):
        self.flows.set()
        self.cut()
        self.server.close()


class Server(DataCentre):
    """With faults."""

    def __init__(self, program, directory, seed, args):
        super().__init__(program, directory, DC_ID, [
            "--seed", str(seed), "--events", str(args.events), "--channels", str(args.channels),
            "--users", "5", "--rate", str(args.rate), "--kinds", KINDS, *FAULTS])

    async def done(self):
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_S + 60)
        if json.loads(line)["event"] != "done":
            raise RuntimeError(f"expected that the traffic is done: {line}")


class Received:
    """What the bot's handlers were told."""

    def __init__(self):
        self.new = {}      # chat -> [(id, text)] in order
        self.edits = {}    # (chat, id) -> [text] in order
        self.deleted = {}  # channel, or None for all other chats -> set of ids
        self.at = time.monotonic()

    async def on_new(self, event):
        self.at = time.monotonic()
        self.new.setdefault(chat_of(event.message), []).append((event.message.id,
                                                                event.message.message))

    async def on_edit(self, event):
        self.at = time.monotonic()
        key = (chat_of(event.message), event.message.id)
        self.edits.setdefault(key, []).append(event.message.message)

    async def on_deleted(self, event):
        self.at = time.monotonic()
        channel = getattr(event.original_update, "channel_id", None)
        box = None if channel is None else f"channel:{channel}"
        self.deleted.setdefault(box, set()).update(event.deleted_ids)

    def listen(self, client):
        client.add_event_handler(self.on_new, events.NewMessage())
        client.add_event_handler(self.on_edit, events.MessageEdited())
        client.add_event_handler(self.on_deleted, events.MessageDeleted())


def chat_of(message):
    peer = message.peer_id
    for name in ("channel", "chat", "user"):
        if hasattr(peer, name + "_id"):
            return f"{name}:{getattr(peer, name + '_id')}"
    raise ValueError(f"a message in no chat: {message}")


def box_of(chat):
    return chat if chat.startswith("channel:") else None


class Expected:
    """The ledger, as far as the bot is concerned."""

    def __init__(self, lines):
        self.events = [l for l in lines if l["kind"] in KINDS.split(",")
                       and l["account"] in (None, BOT_ID)]
        self.folded = set()
        for line in lines:
            if line["kind"] == "difference" and line["account"] == BOT_ID:
                self.folded.update(line["folded"])
        self.texts = {}  # (chat, id) -> [text] from first to last
        for e in self.events:
            if e["kind"] != "delete_messages":
                self.texts.setdefault((e["chat"], e["id"]), []).append(e["text"])


def arrived(expected, got, e):
    """Did this event reach the bot, as itself or inside what replaced it?"""
    if e["kind"] == "delete_messages":
        return set(e.get("ids") or [e["id"]]) <= got.deleted.get(box_of_event(e), set())
    key = (e["chat"], e["id"])
    seen = [text for i, text in got.new.get(e["chat"], []) if i == e["id"]]
    own = seen if e["kind"] == "new_message" else got.edits.get(key, [])
    if e["text"] in own:
        return True
    if e["n"] not in expected.folded:
        return False
    later = expected.texts[key][expected.texts[key].index(e["text"]):]
    if any(text in later for text in seen + got.edits.get(key, [])):
        return True
    return e["id"] in got.deleted.get(box_of(e["chat"]), set())


def box_of_event(e):
    return e["box"] if e["box"].startswith("channel:") else None


def unseen(expected, got):
    """Events of a channel before the first that the bot saw of it. Telethon takes its position in a
    channel from there: what was under way when the connection was cut it can't miss."""
    first = {}
    for e in expected.events:
        if e["kind"] == "new_message" and e["box"] not in first:
            if any(i == e["id"] for i, _ in got.new.get(e["chat"], [])):
                first[e["box"]] = e["n"]
    return {e["n"] for e in expected.events
            if e["box"] in first and e["box"] != "common" and e["n"] < first[e["box"]]}


def verdict(lines, got):
    """What is wrong, as lines; empty: nothing."""
    expected = Expected(lines)
    hidden = unseen(expected, got)
    expected.events = [e for e in expected.events if e["n"] not in hidden]
    wrong = [f"lost: {json.dumps(e)}" for e in expected.events if not arrived(expected, got, e)]
    for chat, messages in got.new.items():
        ids = [i for i, _ in messages]
        if len(ids) != len(set(ids)):
            wrong.append(f"doubled in {chat}: {sorted(i for i in set(ids) if ids.count(i) > 1)}")
        if ids != sorted(ids):
            wrong.append(f"out of order in {chat}: {ids}")
        for i, text in messages:
            if text not in expected.texts.get((chat, i), []):
                wrong.append(f"never sent: {chat} {i} {text!r}")
    for (chat, i), texts in got.edits.items():
        order = [expected.texts.get((chat, i), []).index(t)
                 if t in expected.texts.get((chat, i), []) else -1 for t in texts]
        if -1 in order or order != sorted(set(order)):
            wrong.append(f"edits of {chat} {i} are wrong: {texts!r}")
    return wrong


def events_of(lines):
    return sum(1 for l in lines if l["kind"] in KINDS.split(","))


async def until(condition, what):
    for _ in range(PATIENCE_S * 50):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise RuntimeError(f"waited for too long: {what}")


def client_of(session, transport):
    return TelegramClient(session, 1, "hash", connection=TRANSPORTS[transport], catch_up=True,
                          retry_delay=0.1, connection_retries=100,
                          sequential_updates=True)  # otherwise handlers overtake each other


async def bot(server, directory, transport, args, got):
    """Sign in, be cut off, go offline, come back, and wait until nothing more comes."""
    relay = Relay(server.port)
    await relay.open()
    # Telethon's session in memory forgets which ids are channels.
    path = os.path.join(directory, "bot")
    session = SQLiteSession(path)
    session.set_dc(DC_ID, "127.0.0.1", relay.port)
    client = client_of(session, transport)
    got.listen(client)
    try:
        await client.start(bot_token=f"{BOT_ID}:secret")
        me = await client.get_me()
        if me.id != BOT_ID or not me.bot:
            raise RuntimeError(f"signed in as somebody else: {me}")
        await until(lambda: events_of(server.lines()) >= args.events // 3, "a third of the events")
        before = relay.accepted
        relay.cut()
        await until(lambda: relay.accepted > before, "a new connection")
        await until(lambda: events_of(server.lines()) >= args.events // 2, "half of the events")
        # Telethon forgets, on leaving, what its handlers have not been given yet.
        relay.flows.clear()
        await until(lambda: time.monotonic() - got.at > DRAIN_S, "silence")
        await client.disconnect()
        relay.cut()
        relay.flows.set()
        await asyncio.sleep(PAUSE_S)
        # The session remembers the authorization key, the states and the access hashes.
        client = client_of(SQLiteSession(path), transport)
        got.listen(client)
        await client.connect()
        await server.done()
        patience = time.monotonic() + PATIENCE_S
        while time.monotonic() < patience and (
                time.monotonic() - got.at < QUIET_S or verdict(server.lines(), got)):
            await asyncio.sleep(0.1)
    finally:
        await client.disconnect()
        relay.close()


async def case(args, transport, seed):
    """One data centre, one bot. @return what is wrong."""
    got = Received()
    with tempfile.TemporaryDirectory() as directory:
        async with Server(args.program, directory, seed, args) as server:
            await bot(server, directory, transport, args, got)
        return verdict(server.lines(), got), sum(len(m) for m in got.new.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--transport", action="append", choices=TRANSPORTS)
    parser.add_argument("--seed", action="append", type=int)
    parser.add_argument("--events", type=int, default=240)
    parser.add_argument("--channels", type=int, default=5)
    parser.add_argument("--rate", type=int, default=60)
    args = parser.parse_args()
    logging.basicConfig(level=logging.CRITICAL)
    passed = failed = 0
    for transport in args.transport or TRANSPORTS:
        for seed in args.seed or [1]:
            start = time.monotonic()
            try:
                wrong, messages = asyncio.run(asyncio.wait_for(case(args, transport, seed), 300))
            except Exception as problem:  # whatever it is, this case failed and the next one runs
                wrong, messages = [f"{type(problem).__name__}: {problem}"], 0
            print(f"{'FAILED' if wrong else 'ok'}: {transport}, seed {seed}: {messages} new "
                  f"messages [{time.monotonic() - start:.1f} s]")
            for line in wrong[:20]:
                print("    " + line)
            passed, failed = passed + (not wrong), failed + bool(wrong)
            sys.stdout.flush()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
