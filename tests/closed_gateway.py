"""A gateway that asks for keys, in the tests' own loop, and its keys."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.clients.keys import Keys
from app.store.clients import ClientStore
from app.store.database import open_database
from tests.emulator_process import Emulator
from tests.gateway import Gateway, running_gateway
from tests.stores import database_url


@dataclass(frozen=True, slots=True)
class Closed:
    """A gateway that asks for keys, and its keys."""

    gateway: Gateway
    keys: Keys

    async def key(self, name: str, **more: Any) -> str:
        """Make a client and give its key."""
        return (await self.keys.create(name, now=time.time(), **more)).text

    async def call(self, method: str, path: str, key: str | None, **more: Any) -> Any:
        """Call a route, its parameters filled in with names that do not exist."""
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        for name in ("{file_id}", "{filename}", "{model_id:path}", "{code}"):
            path = path.replace(name, "nothing")
        return await self.gateway.client.request(method, path, headers=headers | more.pop("headers", {}), **more)


@asynccontextmanager
async def closed_gateway(emulator: Emulator, folder: Path, **settings: Any) -> AsyncIterator[Closed]:
    """Run a gateway that asks for keys."""
    async with (
        running_gateway(emulator.url, folder, client_auth="keys", **settings) as gateway,
        open_database(database_url(folder)) as database,
    ):
        yield Closed(gateway, Keys(ClientStore(database)))
