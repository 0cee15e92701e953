"""gapless-dc as a child process of a test with Telethon."""
import asyncio
import json
import os
import subprocess

from telethon.crypto import rsa

PATIENCE_S = 20


class DataCentre:
    """Runs inside `async with`; Telethon trusts its key, and its end has to be a good one."""

    def __init__(self, program, directory, number, args):
        self.number = number
        self.ledger = os.path.join(directory, f"ledger{number}")
        self.pubkey = os.path.join(directory, f"key{number}.pem")
        self.command = [program, "--dc", str(number), "--ledger", self.ledger, "--pubkey-out",
                        self.pubkey, *args]
        self.process = self.port = None

    async def __aenter__(self):
        self.process = await asyncio.create_subprocess_exec(*self.command,
                                                            stdout=subprocess.PIPE)
        self.port = json.loads(await self.process.stdout.readline())["port"]
        with open(self.pubkey, encoding="ascii") as file:
            rsa.add_key(file.read(), old=False)
        return self

    async def __aexit__(self, *_):
        self.process.terminate()
        status = await asyncio.wait_for(self.process.wait(), PATIENCE_S)
        if status != 0:
            raise RuntimeError(f"gapless-dc --dc {self.number} ended with {status}")

    def lines(self, **wanted):
        """Of the ledger, those with these values."""
        with open(self.ledger, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file if line.endswith("\n")]
        return [l for l in lines if all(l.get(k) == v for k, v in wanted.items())]
