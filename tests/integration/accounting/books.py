"""The two books of a gateway, read from its database: the ledger's rows and the state of a client's budget."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from app.store.budget_records import Amounts, BudgetState
from app.store.database import Database

NANO = 1_000_000_000


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


async def rows(database: Database) -> list[Row]:
    """Read the ledger, oldest row first."""
    async with database.transaction() as session:
        found = (await session.execute(text("SELECT * FROM ledger ORDER BY at, number"))).mappings().all()
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


async def settled(database: Database, subject: str, *, calls: int, reserved: bool = False) -> tuple[list[Row], Amounts]:
    """Wait until the ledger has so many rows and nothing is reserved; return the rows and the used amounts."""
    async with asyncio.timeout(15):
        while True:
            found, state = await rows(database), await budget(database, subject)
            if len(found) >= calls and (state.reserved.tokens > 0) is reserved:
                return found, state.used
            await asyncio.sleep(0.05)
