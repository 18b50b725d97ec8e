"""Calls of several answers are booked by the sum: tasks, sessions, batches, and calls whose cost is known later.

A single answer of each surface, in each of its endings, is tested by `test_matrix`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.clients.identity import Limits
from app.store.budget_records import NO_AMOUNTS
from app.store.database import Database, open_database
from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator
from tests.gateway import MEDIA
from tests.integration.accounting.books import settled, told
from tests.integration.native.live import begun, closing, content, say, session, turn
from tests.stores import database_url

MODEL = "gemini-3.8-flash"
PROMPT = "Tell me something long. " * 20
BODY = {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]}
INTERACTION = {"model": MODEL, "input": PROMPT}


@pytest.fixture
async def closed(emulator: Emulator, tmp_path: Path) -> AsyncIterator[Closed]:
    async with closed_gateway(emulator, tmp_path, ledger_flush_s=0.05, allow_deferred_costs=True) as closed:
        yield closed


@pytest.fixture
async def database(closed: Closed, tmp_path: Path) -> AsyncIterator[Database]:
    del closed
    async with open_database(database_url(tmp_path)) as database:
        yield database


@pytest.fixture
def books(closed: Closed, database: Database) -> "Books":
    return Books(closed, database)


@dataclass(frozen=True, slots=True)
class Books:
    """A gateway and its database."""

    closed: Closed
    database: Database

    async def key(self) -> tuple[str, str]:
        """Make a key with a budget in money; return its text, and its budget's subject."""
        made = await self.closed.keys.create("web", now=0.0, limits=Limits(cost_per_day=1.0))
        return made.text, f"client:{made.client.id}"


@pytest.mark.parametrize("path", ["/api/v1/images/captions", "/v1beta/openai/audio/transcriptions"])
async def test_tasks_are_booked_by_the_sum_of_their_calls(books: Books, emulator: Emulator, path: str) -> None:
    key, subject = await books.key()
    name = "shapes.png" if "images" in path else "speech.wav"
    files = [("model", (None, MODEL)), ("file", (name, (MEDIA / name).read_bytes()))]

    answer = await books.closed.call("POST", path, key, files=files)

    assert answer.status_code == 200, answer.text
    [row], used = await settled(books.database, subject, calls=1)
    usage = told(emulator, "generateContent") or told(emulator, "streamGenerateContent")
    assert (row.outcome, row.amounts) == ("ok", used)
    assert usage == (row.input_tokens, row.output_tokens, row.thinking_tokens)


@pytest.mark.parametrize("call", ["models/gemini-embedding-2:embedContent", "openai/embeddings"])
async def test_embeddings_without_a_price_are_booked_by_tokens(books: Books, call: str) -> None:
    made = await books.closed.keys.create("web", now=0.0, limits=Limits(tokens_per_day=20_000))
    body: Any = {"content": {"parts": [{"text": PROMPT}]}}
    if "openai" in call:
        body = {"model": "gemini-embedding-2", "input": PROMPT}

    answer = await books.closed.call("POST", f"/v1beta/{call}", made.text, json=body)

    assert answer.status_code == 200, answer.text
    [row], used = await settled(books.database, f"client:{made.client.id}", calls=1)
    assert (row.outcome, row.amounts.tokens) == ("ok", used.tokens)
    assert row.input_tokens > 0
    assert row.output_tokens == 0


@pytest.mark.parametrize("turns", [0, 2])
async def test_a_live_session_is_booked_by_the_sum_of_its_turns(books: Books, turns: int) -> None:
    key, subject = await books.key()

    async with session(books.closed, key) as socket:
        await begun(socket)
        for _ in range(turns):
            await say(socket, content({"text": "Hello"}))
            await turn(socket)
        await socket.close()
        await closing(socket)

    [row], used = await settled(books.database, subject, calls=1)
    assert (row.operation, row.amounts) == ("native.live", used)
    assert (row.amounts.tokens > 0) is (turns > 0)


Made = Callable[[Closed, str], Awaitable[str]]


async def made_batch(closed: Closed, key: str) -> str:
    body = {"batch": {"inputConfig": {"requests": {"requests": [{"request": BODY}, {"request": BODY}]}}}}
    answer = await closed.call("POST", f"/v1beta/models/{MODEL}:batchGenerateContent", key, json=body)
    return f"/v1beta/{answer.json()['name']}"


async def made_interaction(closed: Closed, key: str) -> str:
    answer = await closed.call("POST", "/v1beta/interactions", key, json={**INTERACTION, "background": True})
    return f"/v1beta/interactions/{answer.json()['id']}"


@pytest.mark.parametrize("made", [made_batch, made_interaction])
async def test_a_deferred_call_holds_its_estimate_and_is_booked_once_when_its_usage_is_seen(
    books: Books, made: Made
) -> None:
    key, subject = await books.key()

    path = await made(books.closed, key)
    [row], used = await settled(books.database, subject, calls=1, reserved=True)
    assert (row.outcome, row.amounts, used) == ("deferred", NO_AMOUNTS, NO_AMOUNTS)

    for _ in range(2):
        assert (await books.closed.call("GET", path, key)).status_code == 200
    [_, row], used = await settled(books.database, subject, calls=2)
    assert (row.outcome, row.amounts) == ("ok", used)
    assert row.output_tokens > 0
