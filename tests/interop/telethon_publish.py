#!/usr/bin/env python3
"""Telethon publishes through gapless-dc: it sends, edits, forwards, pins, deletes, repeats a
random_id, and runs into slow mode and flood rules.

    telethon_publish.py DC_PROGRAM

What the ledger says is compared with what Telethon was answered. One line a case, then
"N passed, N failed".
"""
import asyncio
import logging
import sys
import tempfile

from telethon import TelegramClient, errors, functions
from telethon.sessions import MemorySession

from data_centre import PATIENCE_S, DataCentre

DC_ID = 2
BOT_ID = 700002
SLOW_S = 2
OPTIONS = ["--events", "0", "--channels", "4", "--users", "3",
           "--slow-mode", f"{SLOW_S}:1",
           "--role", "admin:2",
           "--flood-rule", "messages.editMessage:channel:3:2/3600:300",
           "--edit-window", "3600"]


class World(DataCentre):
    """With a bot that is signed in."""

    def __init__(self, program, directory):
        super().__init__(program, directory, DC_ID, OPTIONS)
        self.client = None
        self.channels = {}

    async def __aenter__(self):
        await super().__aenter__()
        session = MemorySession()
        session.set_dc(DC_ID, "127.0.0.1", self.port)
        self.client = TelegramClient(session, 1, "hash", flood_sleep_threshold=0,
                                     retry_delay=0.1)
        await self.client.start(bot_token=f"{BOT_ID}:secret")
        for number in range(1, 5):
            self.channels[number] = await self.client.get_input_entity(f"channel{number}")
        return self

    async def __aexit__(self, *how):
        await self.client.disconnect()
        await super().__aexit__(*how)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


async def refused(kind, awaitable):
    """The error that comes, which has to be of this kind."""
    try:
        await awaitable
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


async def send_edit_delete(world):
    """A post, its edits, a forward of it, and its end."""
    client, channel = world.client, world.channels[2]
    sent = await client.send_message(channel, "Hello **you**")
    check(sent.id == 1 and sent.raw_text == "Hello you", sent)
    check(len(sent.entities) == 1 and sent.entities[0].offset == 6, sent.entities)
    edited = await client.edit_message(channel, sent.id, "Hello *there*")
    check(edited.edit_date is not None and edited.raw_text == "Hello *there*", edited)
    await refused(errors.MessageNotModifiedError,
                  client.edit_message(channel, sent.id, "Hello *there*"))
    await refused(errors.MessageIdInvalidError, client.edit_message(channel, 99, "x"))
    await client.pin_message(channel, sent.id)
    forwarded = await client.forward_messages(world.channels[4], sent.id, channel)
    check(forwarded.fwd_from is not None and forwarded.raw_text == "Hello *there*", forwarded)
    affected = await client.delete_messages(channel, [sent.id])
    check(affected[0].pts_count == 1, affected)
    mine = world.lines(via="call")
    check([l["kind"] for l in mine] == ["new_message", "edit_message", "pin", "new_message",
                                        "delete_messages"], mine)
    check(all(l["from"] == BOT_ID for l in mine), mine)
    check(mine[3]["forward_of"] == mine[0]["n"], mine)
    calls = world.lines(kind="call", method="messages.editMessage")
    check([c.get("error") for c in calls] == [None, "MESSAGE_NOT_MODIFIED", "MESSAGE_ID_INVALID"],
          calls)
    check([c["id"] for c in calls] == [1, 1, 99], calls)


async def repeat(world):
    """The same random_id is the same message, from another session too."""
    request = functions.messages.SendMessageRequest(world.channels[2], "once", random_id=-5)
    first = await world.client(request)
    again = await world.client(request)
    check(first.updates[0].id == again.updates[0].id, (first, again))
    check(again.updates[1].pts_count == 0, again)
    check(len(world.lines(kind="new_message", random_id=-5)) == 1, world.lines(random_id=-5))
    check(len(world.lines(kind="call", random_id=-5)) == 2, world.lines(kind="call"))


async def slow_mode(world):
    """Slow mode says how long, and a client that waits gets through."""
    channel = world.channels[1]
    await world.client.send_message(channel, "one")
    error = await refused(errors.SlowModeWaitError, world.client.send_message(channel, "two"))
    check(0 < error.seconds <= SLOW_S, error.seconds)
    await asyncio.sleep(error.seconds)
    sent = await world.client.send_message(channel, "three")
    check(sent.id == 2, sent)
    refusals = world.lines(kind="call", error=f"SLOWMODE_WAIT_{error.seconds}")
    check(len(refusals) == 1, refusals)
    await refused(errors.ChatAdminRequiredError, world.client.pin_message(channel, sent.id))


async def flood(world):
    """A flood rule for edits in one channel leaves all others alone."""
    channel, other = world.channels[3], world.channels[2]
    sent = await world.client.send_message(channel, "0")
    elsewhere = await world.client.send_message(other, "0")
    for text in "12":
        await world.client.edit_message(channel, sent.id, text)
    # Telethon itself holds all edits back once one was refused.
    for text in "1234":
        await world.client.edit_message(other, elsewhere.id, text)
    error = await refused(errors.FloodWaitError,
                          world.client.edit_message(channel, sent.id, "3"))
    check(error.seconds == 300, error.seconds)
    refusals = world.lines(kind="call", error="FLOOD_WAIT_300")
    check([line.get("channel") for line in refusals] == [channel.channel_id], refusals)


async def run(program, name, case):
    with tempfile.TemporaryDirectory() as directory:
        async with World(program, directory) as world:
            await asyncio.wait_for(case(world), PATIENCE_S)
    print(f"ok: {name}")


def main():
    logging.basicConfig(level=logging.CRITICAL)
    passed = failed = 0
    for case in (send_edit_delete, repeat, slow_mode, flood):
        try:
            asyncio.run(run(sys.argv[1], case.__name__, case))
            passed += 1
        except Exception as problem:  # this case failed, the next one runs
            print(f"FAILED: {case.__name__}: {type(problem).__name__}: {problem}")
            failed += 1
        sys.stdout.flush()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
