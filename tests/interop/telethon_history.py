#!/usr/bin/env python3
"""Telethon reads what an account has published at a gapless-dc that runs: are these the messages, in
this order, with these texts and links?

    telethon_history.py EXPECTED.json

EXPECTED.json: {"port": N, "key": FILE.pem, "token": T, "chats": {"channel:ID": [[id, text,
[address, ...]], ...], ...}}. A link covers the word "here". One line for each chat that is not so,
then "N passed, N failed".
"""
import asyncio
import json
import logging
import sys

from telethon import TelegramClient, types
from telethon.crypto import rsa
from telethon.sessions import MemorySession

DC_ID = 2
KINDS = {"user": types.InputPeerUser, "chat": types.InputPeerChat,
         "channel": types.InputPeerChannel}
PATIENCE_S = 120


def peer_of(chat):
    kind, _, number = chat.partition(":")
    if kind == "chat":
        return types.InputPeerChat(int(number))
    return KINDS[kind](int(number), 0)  # a bot needs no hash here


async def history(client, chat):
    """What the account itself wrote there, oldest first."""
    found = []
    async for message in client.iter_messages(peer_of(chat)):
        if not message.out:
            continue
        links = message.get_entities_text(types.MessageEntityTextUrl)
        found.append([message.id, message.raw_text, [entity.url for entity, _ in links]])
        covered = {text for _, text in links}
        if not covered <= {"here"}:
            raise ValueError(f"a link covers {covered}: {message.raw_text!r}")
    return found[::-1]


async def read_all(expected):
    with open(expected["key"], encoding="ascii") as file:
        rsa.add_key(file.read(), old=False)
    session = MemorySession()
    session.set_dc(DC_ID, "127.0.0.1", expected["port"])
    client = TelegramClient(session, 1, "hash", receive_updates=False, request_retries=20,
                            flood_sleep_threshold=60)
    await client.start(bot_token=expected["token"])
    passed = failed = 0
    for chat, wanted in expected["chats"].items():
        found = await history(client, chat)
        if found == wanted:
            passed += 1
            continue
        failed += 1
        at = next((i for i, (a, b) in enumerate(zip(found, wanted)) if a != b),
                  min(len(found), len(wanted)))
        print(f"{chat}: {len(found)} messages, {len(wanted)} expected; the first difference is "
              f"{found[at:at + 1]} for {wanted[at:at + 1]}")
    await client.disconnect()
    return passed, failed


def main():
    logging.basicConfig(level=logging.CRITICAL)
    with open(sys.argv[1], encoding="utf-8") as file:
        expected = json.load(file)
    passed, failed = asyncio.run(asyncio.wait_for(read_all(expected), PATIENCE_S))
    messages = sum(len(wanted) for wanted in expected["chats"].values())
    print(f"Telethon read {messages} messages in {len(expected['chats'])} chats: "
          f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
