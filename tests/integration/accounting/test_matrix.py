"""Every surface through every ending: Gemini's journal, the ledger and the budget agree in each cell of the table.

The usual run tries a part of the cells, `--nightly` all. Each cell has a client of its own; all cells but the ends of
the process share one gateway.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from app.clients.counters import LEASE_S
from app.clients.identity import Limits
from app.store.budget_records import NO_AMOUNTS, Amounts, BudgetState
from app.store.budgets import BudgetBook
from app.store.database import Database, open_database
from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator
from tests.gateway_process import gateway_process
from tests.integration.accounting.books import Row, budget, rows, settled, subjects, told
from tests.integration.accounting.matrix import (
    CELLS,
    DEADLINE_S,
    ENDINGS,
    SURFACES,
    Ending,
    Surface,
    absence,
    word_of,
)
from tests.integration.native.live import PATH, SETUP, content
from tests.sizes import some
from tests.stores import database_url
from tests.waiting import eventually

OF_THE_PROCESS = ("SIGTERM", "SIGKILL")
USUAL_CELLS = 45


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("matrix")


@pytest.fixture(scope="module")
async def shared(_emulator: Emulator, folder: Path) -> AsyncIterator[Closed]:
    async with closed_gateway(_emulator, folder, ledger_flush_s=0.05, request_timeout_s=DEADLINE_S) as shared:
        yield shared


@pytest.fixture(scope="module")
async def database(shared: Closed, folder: Path) -> AsyncIterator[Database]:
    del shared
    async with open_database(database_url(folder)) as database:
        yield database


async def ask(url: str, key: str, surface: Surface, ending: Ending, emulator: Emulator) -> None:
    """Ask, and read the answer to its end, unless the client of this ending leaves before."""
    if surface.is_live:
        with suppress(WebSocketException, OSError):
            await _speak(url, key, ending)
        return
    asking = asyncio.create_task(_request(url, key, surface, ending.leaves_after))
    if ending.leaves_after == 0:
        await eventually(lambda: bool(emulator.requests(surface.upstream)))
        asking.cancel()
    with suppress(httpx.HTTPError, asyncio.CancelledError):
        await asking


async def _request(url: str, key: str, surface: Surface, leaves_after: int | None) -> None:
    headers = {"authorization": f"Bearer {key}"}
    async with (
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client,
        client.stream("POST", surface.path, headers=headers, **surface.request) as answer,
    ):
        lines = 0
        async for _ in answer.aiter_lines():
            lines += 1
            if lines == leaves_after:
                return


async def _speak(url: str, key: str, ending: Ending) -> None:
    address = url.replace("http", "ws", 1) + PATH
    async with connect(address, additional_headers={"x-goog-api-key": key}, proxy=None) as socket:
        for message in (SETUP, content({"text": "Tell me something long. " * 20})):
            await socket.send(json.dumps(message))
            if ending.word != "refused" and message is SETUP:
                await socket.recv()
        if ending.leaves_after is not None:
            await socket.recv()
            return
        while "turnComplete" not in json.loads(await socket.recv()).get("serverContent", {}):
            pass


def test_every_pair_of_surface_and_ending_is_tested_or_says_why_it_cannot_exist() -> None:
    pairs = {(surface, ending) for surface in SURFACES for ending in ENDINGS}

    assert {pair for pair in pairs if not absence(*pair)} == set(CELLS)
    assert len(CELLS) >= 180


def check(row: Row, used: Amounts, emulator: Emulator, cell: tuple[str, str]) -> None:
    """Assert that ledger, budget and journal agree on one call."""
    surface, ending = SURFACES[cell[0]], ENDINGS[cell[1]]
    assert (row.operation, row.outcome) == (surface.operation, word_of(*cell))
    assert row.amounts == used
    assert (used == NO_AMOUNTS) is ending.is_free
    usage, booked = told(emulator, surface.upstream), (row.input_tokens, row.output_tokens, row.thinking_tokens)
    if ending.word == "refused":
        assert all(not each["usage"] for each in emulator.requests(surface.upstream))
    if usage is not None and ending.leaves_after is not None:
        # Gemini may have written more than the gateway has read.
        assert booked[1] <= usage[1]
    elif usage is not None and not ending.is_free:
        assert booked == usage


@pytest.mark.parametrize(
    "cell",
    some([cell for cell in CELLS if cell[1] not in OF_THE_PROCESS], USUAL_CELLS),
    ids=" - ".join,
)
async def test_ledger_and_budget_agree_with_gemini_on_every_ending(
    shared: Closed, database: Database, emulator: Emulator, cell: tuple[str, str]
) -> None:
    surface, ending = SURFACES[cell[0]], ENDINGS[cell[1]]
    cost = 0.000_001 if ending.word == "refused" else 1.0
    made = await shared.keys.create("-".join(cell).replace(" ", "-"), now=time.time(), limits=Limits(cost_per_day=cost))
    if ending.fault is not None:
        emulator.fault(surface.upstream, **ending.fault)

    await ask(shared.gateway.url, made.text, surface, ending, emulator)

    [row], used = await settled(database, f"client:{made.client.id}", calls=1)
    check(row, used, emulator, cell)


def _hang(emulator: Emulator, surface: Surface) -> None:
    """Let the answer, or the turn of a session, take longer than the test."""
    emulator.fault(surface.upstream, "drip" if surface.is_live else "slow", delay_s=20)


@pytest.mark.parametrize("name", some(list(SURFACES), 4))
async def test_a_call_that_sigterm_ends_is_settled_as_a_shutdown(emulator: Emulator, tmp_path: Path, name: str) -> None:
    surface = SURFACES[name]
    async with closed_gateway(emulator, tmp_path, shutdown_grace_s=1) as closed:
        made = await closed.keys.create("web", now=time.time(), limits=Limits(cost_per_day=1.0))
        _hang(emulator, surface)
        asking = asyncio.create_task(ask(closed.gateway.url, made.text, surface, ENDINGS["SIGTERM"], emulator))
        await eventually(lambda: bool(emulator.requests(surface.upstream)))
        # The message of a session's turn follows the setup.
        await asyncio.sleep(0.5 if surface.is_live else 0)
    await asking

    async with open_database(database_url(tmp_path)) as database:
        [row], used = await settled(database, f"client:{made.client.id}", calls=1)
    check(row, used, emulator, (name, "SIGTERM"))


@pytest.mark.parametrize("name", some(list(SURFACES), 2))
async def test_a_call_that_sigkill_ends_keeps_its_reservation_which_a_sweep_books(
    emulator: Emulator, tmp_path: Path, name: str
) -> None:
    surface = SURFACES[name]
    address = database_url(tmp_path)
    with gateway_process(emulator.url, "--cost-per-day", "1", DATABASE_URL=address) as gateway:
        _hang(emulator, surface)
        asking = asyncio.create_task(ask(gateway.url, gateway.key, surface, ENDINGS["SIGKILL"], emulator))
        await eventually(lambda: bool(emulator.requests(surface.upstream)))
        gateway.process.kill()
        await asking

    async with open_database(address) as database:
        [subject] = await subjects(database)
        before = await budget(database, subject)
        swept = await BudgetBook(database).sweep(now=time.time() + 2 * LEASE_S)
        after = await budget(database, subject)
        found = await rows(database, subject.removeprefix("client:"))

    assert (swept, found, before.used) == (1, [], NO_AMOUNTS)
    assert before.reserved.tokens > 0
    assert before.reserved.cost > 0
    assert after == BudgetState(before.reserved, NO_AMOUNTS)
