"""What one call takes from counters: rates and slots of every party whose limits hold for it, and their names."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.clients.estimate import Estimate
from app.clients.limits import WINDOW_S, Draw, Take, Taken, window_left
from app.clients.parties import Party, Whose
from app.clients.rate_headers import Quota


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


def plan_of(parties: Sequence[Party], estimate: Estimate, *, call: str, now: float) -> Plan:
    """Plan what a call takes from counters; `call` is its id."""
    windows: list[Take] = []
    slots: list[Take] = []
    of_windows: list[tuple[Party, Kind]] = []
    of_slots: list[tuple[Party, Kind]] = []
    for party in parties:
        limits = party.limits
        if limits.requests_per_minute is not None:
            windows.append(Take(f"{party.key}:requests", 1, limits.requests_per_minute))
            of_windows.append((party, REQUESTS))
        if limits.tokens_per_minute is not None:
            windows.append(Take(f"{party.key}:tokens", estimate.tokens, limits.tokens_per_minute))
            of_windows.append((party, TOKENS))
        if limits.concurrent_requests is not None:
            slots.append(Take(f"{party.key}:slots", 1, limits.concurrent_requests))
            of_slots.append((party, SLOTS))
    return Plan(Draw(call, now, tuple(windows), tuple(slots)), (*of_windows, *of_slots))
