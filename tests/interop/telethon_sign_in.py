#!/usr/bin/env python3
"""Telethon, an independent client, signs in to gapless-dc as a person.

    telethon_sign_in.py DC_PROGRAM [--case NAME]...

By code; by code and two-step password; with wrong codes and passwords first; by signing up; and out
again. Then updates flow: what every handler got is compared with the ledger. One line a case, then
"N passed, N failed".
"""
import argparse
import asyncio
import contextlib
import io
import logging
import os
import sys
import tempfile
import time

from telethon import TelegramClient, errors, events, functions
from telethon.network.connection import ConnectionTcpIntermediate
from telethon.sessions import MemorySession, SQLiteSession

from data_centre import PATIENCE_S, DataCentre

DC_ID = 2
PHONE = "+9996621234"
NEW_PHONE = "9996629876"
CODE = "22222"
PASSWORD = "пароль 123"
EVENTS = 60
AT_ONCE = 4


class Server(DataCentre):
    """With a client of it."""

    def __init__(self, program, directory, args):
        super().__init__(program, directory, DC_ID, [
            "--channels", "3", "--users", "5", "--rate", "200", "--kinds", "new_message", *args])

    def client(self, session=None):
        session = session if session is not None else MemorySession()
        session.set_dc(DC_ID, "127.0.0.1", self.port)
        return TelegramClient(session, 1, "hash", connection=ConnectionTcpIntermediate,
                              device_model="teapot", app_version="1.2", catch_up=True,
                              sequential_updates=True)


def check(condition, what):
    if not condition:
        raise RuntimeError(what)


async def refused(error, call):
    """The call must fail with this error."""
    try:
        result = await call
    except error:
        return
    raise RuntimeError(f"expected {error.__name__}, got {result}")


async def signed_in(client, phone=PHONE):
    me = await client.get_me()
    check(not me.bot, f"a person, not a bot: {me}")
    check(me.phone == phone.strip("+"), f"the phone is its own: {me}")
    check(me.first_name and me.access_hash, f"it has a name: {me}")
    return me


async def by_code(server):
    client = server.client()
    await client.connect()
    sent = await client.send_code_request(PHONE)
    check(sent.type.length == 5 and sent.next_type is not None and sent.timeout == 1, str(sent))
    await client.sign_in(PHONE, CODE)
    await signed_in(client)
    sessions = await client(functions.account.GetAuthorizationsRequest())
    mine = [s for s in sessions.authorizations if s.current]
    check(len(mine) == 1 and mine[0].device_model == "teapot", str(sessions))
    await client.disconnect()


async def by_code_and_password(server):
    client = server.client()
    # This is what its users call; it asks for what it needs.
    await client.start(phone=PHONE, code_callback=lambda: CODE, password=PASSWORD)
    await signed_in(client)
    await client.disconnect()


async def wrong_code_first(server):
    client = server.client()
    await client.connect()
    await refused(errors.PhoneNumberInvalidError, client.send_code_request("+12"))
    await client.send_code_request(PHONE)
    await refused(errors.PhoneCodeInvalidError, client.sign_in(PHONE, "11111"))
    await refused(errors.PhoneCodeEmptyError, client(functions.auth.SignInRequest(
        PHONE, client._phone_code_hash[PHONE.strip("+")], "")))
    await client.sign_in(PHONE, CODE)
    await signed_in(client)
    await client.disconnect()


async def wrong_password_first(server):
    client = server.client()
    await client.connect()
    await client.send_code_request(PHONE)
    await refused(errors.SessionPasswordNeededError, client.sign_in(PHONE, CODE))
    await refused(errors.AuthKeyUnregisteredError,
                  client(functions.updates.GetStateRequest()))
    await refused(errors.PasswordHashInvalidError, client.sign_in(password="wrong"))
    await client.sign_in(password=PASSWORD)
    await signed_in(client)
    await client.disconnect()


async def by_another_way(server):
    client = server.client()
    await client.connect()
    sent = await client.send_code_request(PHONE)
    kinds = [type(sent.type).__name__]
    for _ in range(2):
        await asyncio.sleep(1.1)
        sent = await client(functions.auth.ResendCodeRequest(PHONE, sent.phone_code_hash))
        kinds.append(type(sent.type).__name__)
    check(kinds == ["SentCodeTypeApp", "SentCodeTypeSms", "SentCodeTypeCall"], str(kinds))
    check(sent.next_type is None, str(sent))
    await client.sign_in(PHONE, CODE)
    await signed_in(client)
    await client.disconnect()


async def sign_up(server):
    client = server.client()
    await client.connect()
    await client.send_code_request(NEW_PHONE)
    await refused(errors.PhoneNumberUnoccupiedError, client.sign_in(NEW_PHONE, CODE))
    await client.sign_up(CODE, "Ada", "Lovelace", phone=NEW_PHONE)
    me = await signed_in(client, NEW_PHONE)
    check((me.first_name, me.last_name) == ("Ada", "Lovelace"), str(me))
    await client.disconnect()


async def log_out(server):
    client = server.client()
    await client.start(phone=PHONE, code_callback=lambda: CODE)
    other = server.client()
    await other.start(phone=PHONE, code_callback=lambda: CODE)
    sessions = await client(functions.account.GetAuthorizationsRequest())
    check(len(sessions.authorizations) == 2, str(sessions))
    for session in sessions.authorizations:
        if not session.current:
            check(await client(functions.account.ResetAuthorizationRequest(session.hash)), "")
    await refused(errors.SessionRevokedError, other(functions.updates.GetStateRequest()))
    await other.disconnect()
    check(await client.log_out(), "logged out")
    again = server.client()
    await again.connect()
    check(not await again.is_user_authorized(), "a new key is signed in as nobody")
    await again.disconnect()


async def set_password(server):
    client = server.client()
    await client.start(phone=PHONE, code_callback=lambda: CODE)
    check(await client.edit_2fa(new_password="first", hint="a hint"), "set")
    check(await client.edit_2fa("first", new_password=PASSWORD), "changed")
    other = server.client()
    await other.start(phone=PHONE, code_callback=lambda: CODE, password=PASSWORD)
    await signed_in(other)
    check(await other.edit_2fa(PASSWORD), "removed")
    third = server.client()
    await third.start(phone=PHONE, code_callback=lambda: CODE)
    await signed_in(third)
    for one in (client, other, third):
        await one.disconnect()


async def updates_flow(server):
    got = {}
    with tempfile.TemporaryDirectory() as directory:
        # Telethon's session in memory forgets which ids are channels.
        client = server.client(SQLiteSession(os.path.join(directory, "person")))

        @client.on(events.NewMessage())
        async def _(event):
            got.setdefault(event.chat_id, []).append((event.message.id, event.message.message))

        await client.start(phone=PHONE, code_callback=lambda: CODE)
        me = await signed_in(client)
        patience = time.monotonic() + PATIENCE_S
        while sum(len(m) for m in got.values()) < EVENTS and time.monotonic() < patience:
            await asyncio.sleep(0.05)
        await client.disconnect()
    sent = [e for e in server.lines(kind="new_message") if e["account"] in (None, me.id)]
    texts = sorted(text for messages in got.values() for _, text in messages)
    check(texts == sorted(e["text"] for e in sent),
          f"{len(sent)} messages sent, {len(texts)} received")
    for chat, messages in got.items():
        check([i for i, _ in messages] == sorted(i for i, _ in messages),
              f"out of order in {chat}")


QUIET = ["--events", "0", "--code-timeout", "1"]
CASES = {
    "by_code": (by_code, QUIET),
    "by_code_and_password": (by_code_and_password, QUIET + ["--password", PASSWORD]),
    "wrong_code_first": (wrong_code_first, QUIET),
    "wrong_password_first": (wrong_password_first, QUIET + ["--password", PASSWORD]),
    "by_another_way": (by_another_way, QUIET),
    "sign_up": (sign_up, QUIET),
    "log_out": (log_out, QUIET),
    "set_password": (set_password, QUIET),
    "updates_flow": (updates_flow, ["--events", str(EVENTS), "--loss", "0.05", "--reorder", "0.1",
                                    "--duplicate", "0.1"]),
}


async def run(program, name, gate):
    """@return the line that says how it went, and whether it went well."""
    function, args = CASES[name]
    async with gate:
        start = time.monotonic()
        try:
            with tempfile.TemporaryDirectory() as directory:
                async with Server(program, directory, args) as server:
                    await asyncio.wait_for(function(server), 60)
        except Exception as problem:  # whatever it is, this case failed and the next one runs
            return f"FAILED: {name}: {type(problem).__name__}: {problem}", False
        return f"ok: {name} [{time.monotonic() - start:.1f} s]", True


async def run_all(program, names):
    gate = asyncio.Semaphore(AT_ONCE)
    with contextlib.redirect_stdout(io.StringIO()):  # Telethon says who has signed in
        return await asyncio.gather(*(run(program, name, gate) for name in names))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--case", action="append", choices=CASES)
    args = parser.parse_args()
    logging.basicConfig(level=logging.CRITICAL)
    results = asyncio.run(run_all(args.program, args.case or CASES))
    for line, _ in results:
        print(line)
    failed = sum(1 for _, is_good in results if not is_good)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
