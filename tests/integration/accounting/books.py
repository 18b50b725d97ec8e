"""The two books of a gateway, read from its database: the ledger's rows and the state of a client's budget."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from app.store.budget_records import Amounts, BudgetState
from app.store.database import Database
from tests.emulator_process import Emulator

NANO = 1_000_000_000
# The names of the counts on each surface.
_INPUT = ("promptTokenCount", "total_input_tokens", "prompt_tokens")
_OUTPUT = ("candidatesTokenCount", "responseTokenCount", "total_output_tokens", "completion_tokens")
_THOUGHTS = ("thoughtsTokenCount", "total_thought_tokens")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the ledger."""

    operation: str
    outcome: str
    status: int
    model: str | None
    amounts: Amounts
    input_tokens: int
    output_tokens: int
    thinking_tokens: int


async def rows(database: Database, client_id: str) -> list[Row]:
    """Read a client's rows of the ledger, oldest row first."""
    query = text("SELECT * FROM ledger WHERE client_id = :client_id ORDER BY at, number")
    async with database.transaction() as session:
        found = (await session.execute(query, {"client_id": client_id})).mappings().all()
    return [_row(each) for each in found]


def _row(found: Mapping[Any, Any]) -> Row:
    tokens = found["input_tokens"] + found["output_tokens"] + found["thinking_tokens"]
    return Row(
        found["operation"],
        found["outcome"],
        found["status"],
        found["model"],
        Amounts(tokens, round((found["cost_usd"] or 0) * NANO)),
        found["input_tokens"],
        found["output_tokens"],
        found["thinking_tokens"],
    )


async def budget(database: Database, subject: str) -> BudgetState:
    """Read the state of a budget that has one period."""
    query = "SELECT tokens_used, cost_used, tokens_reserved, cost_reserved FROM budgets WHERE subject = :subject"
    async with database.transaction() as session:
        found = (await session.execute(text(query), {"subject": subject})).first()
    return BudgetState() if found is None else BudgetState(Amounts(*found[:2]), Amounts(*found[2:]))


async def subjects(database: Database) -> list[str]:
    """Return the subjects of all budgets."""
    async with database.transaction() as session:
        return [str(row[0]) for row in await session.execute(text("SELECT DISTINCT subject FROM budgets"))]


async def settled(database: Database, subject: str, *, calls: int, reserved: bool = False) -> tuple[list[Row], Amounts]:
    """Wait until the ledger has so many rows and nothing is reserved; return the rows and the used amounts."""
    async with asyncio.timeout(15):
        while True:
            found, state = await rows(database, subject.removeprefix("client:")), await budget(database, subject)
            if len(found) >= calls and (state.reserved.tokens > 0) is reserved:
                return found, state.used
            await asyncio.sleep(0.05)


def told(emulator: Emulator, operation: str) -> tuple[int, int, int] | None:
    """Return the last usage in the emulator's journal: input, output, thoughts."""
    usages: list[Mapping[str, Any]] = [each["usage"] for each in emulator.requests(operation) if each["usage"]]
    if not usages:
        return None
    first, second, third = (
        next((int(usages[-1][name]) for name in names if name in usages[-1]), 0)
        for names in (_INPUT, _OUTPUT, _THOUGHTS)
    )
    return first, second, third
