"""What one call takes: rates and slots of every party whose limits hold for it, and the budgets that it is held to."""

from dataclasses import dataclass

from app.clients.budgets import DAY_S, budgets_of
from app.clients.estimate import Estimate
from app.clients.limits import WINDOW_S, Draw, Take, Taken, window_left
from app.clients.parties import Party, Whose
from app.clients.rate_headers import Quota
from app.store.budget_records import Budget


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of limit that counters keep: its name in headers, how a sentence calls it, its unit there."""

    name: str
    phrase: str
    unit: str | None = None


REQUESTS = Kind("requests", "requests a minute")
TOKENS = Kind("tokens", "tokens a minute", "tokens")
SLOTS = Kind("concurrent-requests", "concurrent requests", "concurrent-requests")


@dataclass(frozen=True, slots=True)
class Plan:
    """A draw on counters, and for each of its takes whose it is and of what kind."""

    draw: Draw
    sources: tuple[tuple[Party, Kind], ...]

    def settling(self, tokens: int) -> tuple[int, ...]:
        """Say by how much each window changes when the call has used so many tokens."""
        takes = zip(self.draw.windows, self.sources, strict=False)
        return tuple(tokens - take.amount if kind is TOKENS else 0 for take, (_, kind) in takes)

    def undoing(self) -> tuple[int, ...]:
        """Say by how much each window changes when the call is not admitted after all."""
        return tuple(-take.amount for take in self.draw.windows)

    def quotas(self, taken: Taken) -> list[Quota]:
        """Tell how the client's own limits stand."""
        found = []
        for (party, kind), take, used in zip(self.sources, self.draw.takes, taken.used, strict=True):
            if party.whose is Whose.CLIENT:
                left = take.quota - used
                if kind is SLOTS:
                    found.append(Quota(kind.name, take.quota, left, kind.unit))
                else:
                    resets_in_s = window_left(self.draw.taken_at)
                    found.append(Quota(kind.name, take.quota, left, kind.unit, WINDOW_S, resets_in_s))
        return found


class Terms:
    """What parties' limits ask of every call of theirs, worked out once: it is the same for the next call."""

    __slots__ = ("_budgets", "_day", "_slots", "_sources", "_windows", "has_allowance", "parties")

    def __init__(self, parties: tuple[Party, ...]) -> None:
        self.parties = parties
        windows: list[tuple[str, int, bool]] = []
        slots: list[Take] = []
        of_windows: list[tuple[Party, Kind]] = []
        of_slots: list[tuple[Party, Kind]] = []
        for party in parties:
            limits = party.limits
            if limits.requests_per_minute is not None:
                windows.append((f"{party.key}:requests", limits.requests_per_minute, False))
                of_windows.append((party, REQUESTS))
            if limits.tokens_per_minute is not None:
                windows.append((f"{party.key}:tokens", limits.tokens_per_minute, True))
                of_windows.append((party, TOKENS))
            if limits.concurrent_requests is not None:
                slots.append(Take(f"{party.key}:slots", 1, limits.concurrent_requests))
                of_slots.append((party, SLOTS))
        self._windows = tuple(windows)
        self._slots = tuple(slots)
        self._sources = (*of_windows, *of_slots)
        self._day = -1
        self._budgets: tuple[tuple[Party, Budget], ...] = ()
        self.has_allowance = any(map(_has_allowance, parties))

    def plan(self, estimate: Estimate, *, call: str, now: float) -> Plan:
        """Plan what a call takes from counters; `call` is its id."""
        tokens = estimate.tokens
        windows = tuple([Take(key, tokens if is_tokens else 1, quota) for key, quota, is_tokens in self._windows])
        return Plan(Draw(call, now, windows, self._slots), self._sources)

    def budgets(self, now: float) -> tuple[tuple[Party, Budget], ...]:
        """Give the budgets that hold for a call now and whose they are, in the order in which their rows are locked."""
        day = int(now // DAY_S)
        if day != self._day:
            self._day, self._budgets = day, budgets_of(self.parties, now)
        return self._budgets


def _has_allowance(party: Party) -> bool:
    limits = party.limits
    allowances = (
        limits.tokens_per_minute,
        limits.tokens_per_day,
        limits.tokens_per_month,
        limits.cost_per_day,
        limits.cost_per_month,
    )
    return any(limit is not None for limit in allowances)
