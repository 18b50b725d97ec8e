"""The turns of a Live session: each holds a reservation, and is settled when it ends.

    setup ──> reserve ──> turn ──> settle ──> reserve ──> turn ──> ... ──> end of the session: settle

A voice session has no other start of a turn, so that the next turn is reserved when the last one is settled.
"""

from contextlib import AbstractAsyncContextManager

from app.accounting.metering import Asked
from app.errors import RateLimitedError
from app.gemini.answer import Usage
from app.native.metered import Estimated, Metered
from app.native.services import NativeCall

BUDGET = "budget"
"""The reason of the close if a limit has no room for the next turn."""


class LiveTurns:
    """The reservations of one session of a model."""

    def __init__(self, call: NativeCall, model: str) -> None:
        self._call = call
        self._model = model
        self._usage: Usage | None = None
        self._has_input = False
        self._admitted: AbstractAsyncContextManager[Asked] | None = None
        self._asked = Asked()

    async def begin(self, input_tokens: int = 0) -> None:
        """Reserve a turn. Raises RateLimitedError if a limit has no room for it."""
        admitted = Metered(self._call, self._model, Estimated(input_tokens)).admitted()
        try:
            self._asked = await admitted.__aenter__()
        except RateLimitedError as error:
            raise RateLimitedError(BUDGET, retry_after_s=error.retry_after_s) from error
        self._admitted = admitted
        self._usage, self._has_input = None, False

    def note_input(self) -> None:
        """Note that the client has sent something of the turn."""
        self._has_input = True

    def note_usage(self, usage: Usage) -> None:
        """Note the usage of the turn so far."""
        self._usage = usage

    async def end(self) -> None:
        """Settle a turn that has ended, and reserve the next. Raises as `begin`."""
        usage = self._usage or Usage()
        await self.settle()
        # The next turn reads the whole conversation again.
        await self.begin(usage.input_tokens + usage.output_tokens)

    async def settle(self) -> None:
        """Settle the turn as far as it has come; only the first call counts."""
        admitted, self._admitted = self._admitted, None
        if admitted is None:
            return
        asked = self._asked
        asked.usage, asked.outcome = self._usage, "turn_complete"
        asked.is_refused = self._usage is None and not self._has_input
        await admitted.__aexit__(None, None, None)
