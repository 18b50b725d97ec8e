"""The interactions that are stored, with the turns that a next one continues.

It knows no HTTP and no clock: moments are given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gemini_emulator.clock import rfc3339
from gemini_emulator.failures import ApiFailureError

_MAX_INTERACTIONS = 2_000


@dataclass(slots=True, eq=False)
class Interaction:
    """An interaction. Its answer is known from the beginning, and shown from `ready_at`, in seconds since the epoch.

    `turns` are all contents so far, the answer's included; `outcome` is the status that it ends with.
    """

    interaction_id: str
    model: str
    previous_id: str
    asked: Sequence[object]
    turns: Sequence[Mapping[str, object]]
    steps: Sequence[Mapping[str, object]]
    outcome: str
    usage: Mapping[str, object]
    created_at: float
    ready_at: float
    cancelled_at: float | None = None

    def status_at(self, now: float) -> str:
        """Return the status at a time."""
        if self.cancelled_at is not None:
            return "cancelled"
        if now >= self.ready_at:
            return self.outcome
        return "queued" if now < (self.created_at + self.ready_at) / 2 else "in_progress"

    def is_over(self, now: float) -> bool:
        """Return whether the interaction has ended at a time."""
        return self.cancelled_at is not None or now >= self.ready_at

    def resource(self, now: float) -> dict[str, object]:
        """Render without the input."""
        status = self.status_at(now)
        shown: dict[str, object] = {
            "id": self.interaction_id,
            "object": "interaction",
            "status": status,
            "model": self.model,
            "created": rfc3339(self.created_at),
            "updated": rfc3339(self.cancelled_at or min(now, max(self.created_at, self.ready_at))),
        }
        if self.previous_id:
            shown["previous_interaction_id"] = self.previous_id
        if status == self.outcome:
            shown |= {"steps": list(self.steps), "usage": self.usage}
        return shown


class Memory:
    """The stored interactions, by id, oldest first; the oldest are forgotten when there are too many."""

    def __init__(self) -> None:
        self._interactions: dict[str, Interaction] = {}

    def add(self, interaction: Interaction) -> None:
        """Store an interaction."""
        if len(self._interactions) >= _MAX_INTERACTIONS:
            del self._interactions[next(iter(self._interactions))]
        self._interactions[interaction.interaction_id] = interaction

    def get(self, interaction_id: str) -> Interaction:
        """Find an interaction; raises ApiFailureError (404) when there is none."""
        found = self._interactions.get(interaction_id)
        if found is None:
            raise ApiFailureError(404, f"Interaction {interaction_id} was not found.")
        return found

    def delete(self, interaction_id: str) -> None:
        """Delete an interaction; raises ApiFailureError (404) when there is none."""
        del self._interactions[self.get(interaction_id).interaction_id]

    def everything(self) -> list[Interaction]:
        """Return all interactions, oldest first."""
        return list(self._interactions.values())

    def clear(self) -> None:
        """Drop all."""
        self._interactions.clear()
