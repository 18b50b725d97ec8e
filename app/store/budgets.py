"""The budget book: every query about the used and held amounts of budgets.

Many calls are held and settled in one transaction. One conditional statement takes the room of a budget, so that no two
calls of any process can take the same room. Rows are locked in the order of their keys, reservations before budgets, so
that no two transactions wait for each other. This module has no clock and no limits of its own.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from sqlalchemy import Connection, Row, bindparam, delete, select, text, update

from app.store.budget_records import NO_AMOUNTS, Amounts, Budget, BudgetState, Hold, HoldResult, Key, Settlement, total
from app.store.database import Database
from app.store.schema import BudgetRow, ReservationRow

# Seconds for which the budget of a past day or month is kept.
KEPT_BUDGET_S = 40 * 86_400
# Seconds for which a swept reservation can still be settled to its actual use.
KEPT_SWEPT_S = 7 * 86_400
SWEPT_AT_ONCE = 500


_TAKE = text(
    """
    INSERT INTO budgets (subject, period, ends_at, tokens_limit, cost_limit, bytes_limit,
                         tokens_used, tokens_reserved, cost_used, cost_reserved, bytes_used)
    VALUES (:subject, :period, :ends_at, :tokens_limit, :cost_limit, :bytes_limit, 0, :tokens, 0, :cost, :bytes)
    ON CONFLICT (subject, period) DO UPDATE SET
        ends_at = excluded.ends_at,
        tokens_limit = excluded.tokens_limit, cost_limit = excluded.cost_limit, bytes_limit = excluded.bytes_limit,
        tokens_reserved = budgets.tokens_reserved + excluded.tokens_reserved,
        cost_reserved = budgets.cost_reserved + excluded.cost_reserved,
        bytes_used = budgets.bytes_used + excluded.bytes_used
    WHERE (excluded.tokens_reserved = 0 OR excluded.tokens_limit IS NULL
           OR budgets.tokens_used + budgets.tokens_reserved + excluded.tokens_reserved <= excluded.tokens_limit)
      AND (excluded.cost_reserved = 0 OR excluded.cost_limit IS NULL
           OR budgets.cost_used + budgets.cost_reserved + excluded.cost_reserved <= excluded.cost_limit)
      AND (excluded.bytes_used = 0 OR excluded.bytes_limit IS NULL
           OR budgets.bytes_used + excluded.bytes_used <= excluded.bytes_limit)
    RETURNING tokens_used, tokens_reserved, cost_used, cost_reserved, bytes_used
    """
)
_RESERVE = text(
    "INSERT INTO reservations (id, budgets, tokens, cost, lease_until) "
    "VALUES (:id, :budgets, :tokens, :cost, :lease_until)"
)
_BOOK = text(
    "UPDATE budgets SET tokens_used = tokens_used + :tokens, tokens_reserved = tokens_reserved - :tokens_held, "
    "cost_used = cost_used + :cost, cost_reserved = cost_reserved - :cost_held, "
    "bytes_used = bytes_used - :bytes_back WHERE subject = :subject AND period = :period"
)
_END = text("DELETE FROM reservations WHERE id IN :ids RETURNING id, budgets, tokens, cost, swept_at").bindparams(
    bindparam("ids", expanding=True)
)


def _book(connection: Connection, key: Key, used: Amounts, held: Amounts) -> None:
    values = {"tokens": used.tokens, "tokens_held": held.tokens, "cost": used.cost, "cost_held": held.cost}
    connection.execute(_BOOK, values | {"bytes_back": held.bytes, "subject": key[0], "period": key[1]})


def _state(row: Row[int, int, int, int, int]) -> BudgetState:
    tokens_used, tokens_reserved, cost_used, cost_reserved, bytes_used = tuple(row)
    return BudgetState(Amounts(tokens_used, cost_used, bytes_used), Amounts(tokens_reserved, cost_reserved))


def _look(connection: Connection, key: Key) -> BudgetState:
    columns = (
        BudgetRow.tokens_used,
        BudgetRow.tokens_reserved,
        BudgetRow.cost_used,
        BudgetRow.cost_reserved,
        BudgetRow.bytes_used,
    )
    query = select(*columns).where(BudgetRow.subject == key[0], BudgetRow.period == key[1])
    row = connection.execute(query).first()
    return BudgetState() if row is None else _state(row)


def _take(connection: Connection, budget: Budget, amounts: Amounts) -> BudgetState | None:
    # The statement's condition covers an existing row only; a new row would accept any amount.
    if not BudgetState().has_room(budget, amounts):
        return None
    values = {
        "subject": budget.subject,
        "period": budget.period,
        "ends_at": budget.ends_at,
        "tokens_limit": budget.tokens,
        "cost_limit": budget.cost,
        "bytes_limit": budget.bytes,
        "tokens": amounts.tokens,
        "cost": amounts.cost,
        "bytes": amounts.bytes,
    }
    row = connection.execute(_TAKE, values).first()
    return None if row is None else _state(row)


@lru_cache(maxsize=1_024)
def _dumped(keys: tuple[Key, ...]) -> str:
    return json.dumps(keys)


@lru_cache(maxsize=1_024)
def _loaded(keys: str) -> tuple[Key, ...]:
    return tuple((subject, period) for subject, period in json.loads(keys))


class _Changes:
    """The bookings on each budget: more used, and less held."""

    def __init__(self) -> None:
        self.by_key: dict[Key, tuple[Amounts, Amounts]] = {}

    def add(self, budgets: str, used: Amounts, held: Amounts) -> None:
        for key in _loaded(budgets):
            before_used, before_held = self.by_key.get(key, (NO_AMOUNTS, NO_AMOUNTS))
            self.by_key[key] = before_used.plus(used), before_held.plus(held)


@dataclass(slots=True)
class _HoldBatch:
    """A batch of holds on its way through the budgets."""

    holds: Sequence[Hold]
    refused: dict[int, HoldResult] = field(default_factory=dict)
    states: list[dict[Key, BudgetState]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.states = [{} for _ in self.holds]

    def take(self, connection: Connection, key: Key) -> None:
        """Hold the amounts of all holds on one budget; if their sum does not fit, hold in order those that fit."""
        asking = [
            (index, budget)
            for index, hold in enumerate(self.holds)
            for budget in hold.budgets
            if budget.key == key and index not in self.refused
        ]
        if not asking:
            return
        budget = asking[-1][1]
        amounts = total(self.holds[index].amounts for index, _ in asking)
        after = _take(connection, budget, amounts) if all(each == budget for _, each in asking) else None
        if after is None:
            self._take_one_by_one(connection, asking)
            return
        for index, _ in reversed(asking):
            self.states[index][key] = after
            after = after.before(self.holds[index].amounts)

    def _take_one_by_one(self, connection: Connection, asking: Sequence[tuple[int, Budget]]) -> None:
        for index, budget in asking:
            after = _take(connection, budget, self.holds[index].amounts)
            if after is not None:
                self.states[index][budget.key] = after
                continue
            state = _look(connection, budget.key)
            self.refused[index] = HoldResult((state,), refused=budget)
            # The budgets before this one are already changed, and their rows are locked.
            for taken in self.states[index]:
                _book(connection, taken, NO_AMOUNTS, self.holds[index].amounts)

    def reserve(self, connection: Connection) -> None:
        """Insert a reservation for each successful hold."""
        rows = [
            {
                "id": hold.id,
                "budgets": _dumped(tuple(budget.key for budget in hold.budgets)),
                "tokens": hold.amounts.tokens,
                "cost": hold.amounts.cost,
                "lease_until": hold.lease_until,
            }
            for index, hold in enumerate(self.holds)
            if hold.id is not None and index not in self.refused
        ]
        if rows:
            connection.execute(_RESERVE, rows)

    def results(self) -> list[HoldResult]:
        """Return the result of each hold."""
        return [
            self.refused.get(index) or HoldResult(tuple(states[budget.key] for budget in hold.budgets))
            for index, (hold, states) in enumerate(zip(self.holds, self.states, strict=True))
        ]


def _end(connection: Connection, settlements: Collection[Settlement]) -> _Changes:
    changes = _Changes()
    if settlements:
        # Of two settlements of one reservation the first counts.
        used = {each.id: Amounts(each.tokens, each.cost) for each in reversed(tuple(settlements))}
        for row in connection.execute(_END, {"ids": sorted(used)}).all():
            held = Amounts(row.tokens, row.cost)
            if row.swept_at is None:
                changes.add(row.budgets, used[row.id], held)
            else:
                # The sweep has booked the estimate, which the true usage corrects.
                changes.add(row.budgets, used[row.id].minus(held), NO_AMOUNTS)
    return changes


class BudgetBook:
    """Budgets and reservations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, holds: Sequence[Hold], settlements: Collection[Settlement]) -> list[HoldResult]:
        """Settle first, then hold in the given order; return the result of each hold.

        A settlement books the true usage in place of the held amounts, once. A settlement without a reservation of its
        id changes nothing; a swept reservation is corrected.
        """

        def work(connection: Connection) -> list[HoldResult]:
            changes = _end(connection, settlements)
            batch = _HoldBatch(holds)
            asked = {budget.key for hold in holds for budget in hold.budgets}
            for key in sorted(asked | changes.by_key.keys()):
                if key in changes.by_key:
                    _book(connection, key, *changes.by_key[key])
                batch.take(connection, key)
            batch.reserve(connection)
            return batch.results()

        return await self._database.run(work)

    async def state(self, subject: str, period: str) -> BudgetState:
        """Return the state of a budget."""
        return await self._database.run(lambda connection: _look(connection, (subject, period)))

    async def held(self, reservation: str) -> Amounts | None:
        """Return the amounts that a reservation was made with, None if it is settled."""
        query = select(ReservationRow.tokens, ReservationRow.cost).where(ReservationRow.id == reservation)
        row = await self._database.run(lambda connection: connection.execute(query).first())
        return None if row is None else Amounts(row.tokens, row.cost)

    async def renew(self, reservations: Collection[str], *, lease_until: float) -> None:
        """Extend the leases of running calls."""
        running = update(ReservationRow).where(ReservationRow.id.in_(sorted(reservations)))
        if reservations:
            await self._database.run(lambda connection: connection.execute(running.values(lease_until=lease_until)))

    async def sweep(self, *, now: float) -> int:
        """Book abandoned reservations at their estimates; return how many were booked.

        Replicas may sweep at the same time: each reservation is booked by one of them, once.
        """

        def work(connection: Connection) -> int:
            ended = select(ReservationRow.id).where(ReservationRow.lease_until < now, ReservationRow.swept_at.is_(None))
            ended = ended.limit(SWEPT_AT_ONCE).with_for_update(skip_locked=True)
            # One statement: SQLite lets no transaction write that began by reading while another wrote.
            sweeping = update(ReservationRow).where(ReservationRow.id.in_(ended)).values(swept_at=now)
            abandoned = connection.execute(
                sweeping.returning(ReservationRow.budgets, ReservationRow.tokens, ReservationRow.cost)
            ).all()
            changes = _Changes()
            for row in abandoned:
                changes.add(row.budgets, Amounts(row.tokens, row.cost), Amounts(row.tokens, row.cost))
            for key in sorted(changes.by_key):
                _book(connection, key, *changes.by_key[key])
            return len(abandoned)

        return await self._database.run(work)

    async def forget_ended(self, before: float) -> None:
        """Delete budgets and swept reservations that ended long enough before a time that no query reads them."""

        def work(connection: Connection) -> None:
            connection.execute(delete(BudgetRow).where(BudgetRow.ends_at < before - KEPT_BUDGET_S))
            connection.execute(delete(ReservationRow).where(ReservationRow.swept_at < before - KEPT_SWEPT_S))

        await self._database.run(work)
