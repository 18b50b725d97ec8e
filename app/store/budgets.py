"""The book of budgets: every query about what a party has used and holds of its days and months.

A reservation is admitted by one conditional statement for each budget, all in one transaction: of several that come at
once no two can take the same room. Rows are locked in the order of their keys, reservations before budgets, so that no
two transactions wait for each other. It knows no clock and no limits but those it is given.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Row, bindparam, delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.store.database import Database
from app.store.schema import BudgetRow, ReservationRow

KEPT_BUDGET_S = 40 * 86_400
"""How long a day or month that is over can still be looked up."""
KEPT_SWEPT_S = 86_400
"""How long a reservation that was swept can still be settled to what was really used."""
SWEPT_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much: tokens, billionths of a US dollar, bytes."""

    tokens: int = 0
    cost: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Budget:
    """One party's day or month: from when until when it runs, and its limits; None is without."""

    subject: str
    period: str
    starts_at: float
    ends_at: float
    tokens: int | None = None
    cost: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What has been used of a budget, and what calls that run hold of it. Bytes are used at once, never held."""

    used: Amounts = Amounts()
    reserved: Amounts = Amounts()


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a reservation has really used."""

    id: str
    tokens: int
    cost: int


class NoRoomError(Exception):
    """A budget has no room for what was asked; nothing was taken of any."""

    def __init__(self, budget: Budget, standing: Standing) -> None:
        super().__init__(budget.subject)
        self.budget = budget
        self.standing = standing


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
_HOLD = text(
    "INSERT INTO reservations (id, budgets, tokens, cost, lease_until) "
    "VALUES (:id, :budgets, :tokens, :cost, :lease_until)"
)
_BOOK = text(
    "UPDATE budgets SET tokens_used = tokens_used + :tokens, tokens_reserved = tokens_reserved - :tokens_held, "
    "cost_used = cost_used + :cost, cost_reserved = cost_reserved - :cost_held "
    "WHERE subject = :subject AND period = :period"
)
_END = text("DELETE FROM reservations WHERE id IN :ids RETURNING id, budgets, tokens, cost, swept_at").bindparams(
    bindparam("ids", expanding=True)
)


@dataclass(slots=True)
class _Change:
    """What is booked on one budget: used more, and held less."""

    tokens: int = 0
    tokens_held: int = 0
    cost: int = 0
    cost_held: int = 0

    def add(self, used: Amounts, held: Amounts) -> None:
        self.tokens += used.tokens
        self.cost += used.cost
        self.tokens_held += held.tokens
        self.cost_held += held.cost


_Changes = dict[tuple[str, str], _Change]


def _fits(budget: Budget, amounts: Amounts) -> bool:
    pairs = ((amounts.tokens, budget.tokens), (amounts.cost, budget.cost), (amounts.bytes, budget.bytes))
    return all(not amount or limit is None or amount <= limit for amount, limit in pairs)


def _note(changes: _Changes, budgets: str, used: Amounts, held: Amounts) -> None:
    for subject, period in json.loads(budgets):
        changes.setdefault((subject, period), _Change()).add(used, held)


async def _book(session: AsyncSession, changes: _Changes) -> None:
    for (subject, period), change in sorted(changes.items()):
        values = {
            "subject": subject,
            "period": period,
            "tokens": change.tokens,
            "tokens_held": change.tokens_held,
            "cost": change.cost,
            "cost_held": change.cost_held,
        }
        await session.execute(_BOOK, values)


def _standing(row: Row[int, int, int, int, int]) -> Standing:
    tokens_used, tokens_reserved, cost_used, cost_reserved, bytes_used = tuple(row)
    return Standing(Amounts(tokens_used, cost_used, bytes_used), Amounts(tokens_reserved, cost_reserved))


class BudgetBook:
    """Budgets and reservations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reserve(
        self, reservation: str, budgets: Sequence[Budget], amounts: Amounts, *, lease_until: float
    ) -> tuple[Standing, ...]:
        """Hold tokens and cost, and use bytes, of every budget or of none; gives how each stands then.

        Raises NoRoomError with the first that has no room. `budgets` are in the order of their keys.
        """
        keys = json.dumps([(budget.subject, budget.period) for budget in budgets])
        async with self._database.transaction() as session:
            standings = await self._take(session, budgets, amounts)
            held = {"id": reservation, "budgets": keys, "tokens": amounts.tokens, "cost": amounts.cost}
            await session.execute(_HOLD, held | {"lease_until": lease_until})
        return standings

    async def use_bytes(self, budgets: Sequence[Budget], count: int) -> None:
        """Use bytes of every budget or of none, for good; raises NoRoomError with the first that has no room."""
        async with self._database.transaction() as session:
            await self._take(session, budgets, Amounts(bytes=count))

    async def _take(self, session: AsyncSession, budgets: Sequence[Budget], amounts: Amounts) -> tuple[Standing, ...]:
        standings = []
        for budget in budgets:
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
            # The statement's condition is about a row that is there already; a new one takes whatever it is given.
            row = (await session.execute(_TAKE, values)).first() if _fits(budget, amounts) else None
            if row is None:
                raise NoRoomError(budget, await self._look(session, budget.subject, budget.period))
            standings.append(_standing(row))
        return tuple(standings)

    async def _look(self, session: AsyncSession, subject: str, period: str) -> Standing:
        columns = (
            BudgetRow.tokens_used,
            BudgetRow.tokens_reserved,
            BudgetRow.cost_used,
            BudgetRow.cost_reserved,
            BudgetRow.bytes_used,
        )
        query = select(*columns).where(BudgetRow.subject == subject, BudgetRow.period == period)
        row = (await session.execute(query)).first()
        return Standing() if row is None else _standing(row)

    async def standing(self, subject: str, period: str) -> Standing:
        """Tell how a budget stands."""
        async with self._database.transaction() as session:
            return await self._look(session, subject, period)

    async def settle(self, settlements: Collection[Settlement]) -> None:
        """Book what was really used instead of what was held. A reservation that is not there any more is left alone.

        One that was swept has been booked at its estimate; it is corrected by the difference.
        """
        used = {settlement.id: Amounts(settlement.tokens, settlement.cost) for settlement in settlements}
        changes: _Changes = {}
        async with self._database.transaction() as session:
            for row in (await session.execute(_END, {"ids": sorted(used)})).all():
                held = Amounts(row.tokens, row.cost)
                true = used[row.id]
                if row.swept_at is None:
                    _note(changes, row.budgets, true, held)
                else:
                    _note(changes, row.budgets, Amounts(true.tokens - held.tokens, true.cost - held.cost), Amounts())
            await _book(session, changes)

    async def renew(self, reservations: Collection[str], *, lease_until: float) -> None:
        """Prolong the leases of calls that still run."""
        if reservations:
            async with self._database.transaction() as session:
                running = update(ReservationRow).where(ReservationRow.id.in_(sorted(reservations)))
                await session.execute(running.values(lease_until=lease_until))

    async def sweep(self, *, now: float) -> int:
        """Book what nobody answers for any more at its estimate, forget what is long over; gives how many were booked.

        Replicas may sweep at the same time: each reservation is booked by one of them, once.
        """
        changes: _Changes = {}
        async with self._database.transaction() as session:
            # The deletions first: SQLite lets no transaction write that began by reading while another wrote.
            await session.execute(delete(BudgetRow).where(BudgetRow.ends_at < now - KEPT_BUDGET_S))
            await session.execute(delete(ReservationRow).where(ReservationRow.swept_at < now - KEPT_SWEPT_S))
            query = select(ReservationRow.id, ReservationRow.budgets, ReservationRow.tokens, ReservationRow.cost)
            query = query.where(ReservationRow.lease_until < now, ReservationRow.swept_at.is_(None))
            abandoned = (await session.execute(query.limit(SWEPT_AT_ONCE).with_for_update(skip_locked=True))).all()
            for row in abandoned:
                _note(changes, row.budgets, Amounts(row.tokens, row.cost), Amounts(row.tokens, row.cost))
            if abandoned:
                ids = [row.id for row in abandoned]
                await session.execute(update(ReservationRow).where(ReservationRow.id.in_(ids)).values(swept_at=now))
            await _book(session, changes)
        return len(abandoned)
