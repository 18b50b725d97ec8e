"""The turns of a Live session: each holds a reservation, and is settled when it ends.

    setup ──> reserve ──> turn ──> settle ──> reserve ──> turn ──> ... ──> end of the session: settle

A voice session has no other start of a turn, so that the next turn is reserved when the last turn is settled.
"""

from dataclasses import replace

from app.accounting.estimate import Estimate
from app.accounting.metering import ModelCall
from app.accounting.outcome import Outcome
from app.errors import RateLimitedError
from app.gemini.answer import Usage
from app.native.services import NativeCall
from app.store.ledger_records import LedgerOutcome

BUDGET = "budget"
"""The reason of the close if a limit has no room for the next turn."""


class LiveTurns:
    """The reservations of one session of a model."""

    def __init__(self, call: NativeCall, model: str, empty_turn: Estimate) -> None:
        """Create the turns of a session; `empty_turn` is the estimate of a turn without input."""
        self._call = call
        self._model = model
        self._empty_turn = empty_turn
        self._model_call: ModelCall | None = None
        self._usage: Usage | None = None
        self._input_tokens = 0
        self._text_chars = 0
        self._has_input = False

    async def begin(self, known_tokens: int = 0) -> None:
        """Reserve a turn, which reads the `known_tokens` of the conversation again.

        Raises RateLimitedError if a limit has no room for the turn.
        """
        metering = self._call.services.metering
        estimate = replace(self._empty_turn, input_tokens=known_tokens)
        try:
            self._model_call = await metering.reserve(self._call.usage, self._model, estimate)
        except RateLimitedError as error:
            raise RateLimitedError(BUDGET, retry_after_s=error.retry_after_s) from error
        self._usage, self._input_tokens, self._text_chars, self._has_input = None, known_tokens, 0, False

    def note_input(self, tokens: int) -> None:
        """Note a message of the client's in the turn, of an estimated number of tokens."""
        self._has_input = True
        self._input_tokens += tokens

    def note_answer(self, usage: Usage | None, text_chars: int) -> None:
        """Note a message of Gemini's in the turn: the turn's usage so far, if told, and the length of new text."""
        self._usage = usage or self._usage
        self._text_chars += text_chars

    async def end(self) -> None:
        """Settle a turn that has ended, and reserve the next. Raises as `begin`."""
        usage = self._usage or Usage(input_tokens=self._input_tokens)
        self._settle(Outcome.whole(self._usage, None, text_chars=self._text_chars))
        await self.begin(usage.input_tokens + usage.output_tokens)

    def settle(self, error: BaseException | None = None) -> None:
        """Settle the turn that the end of the session, perhaps by `error`, has broken off."""
        if self._usage is None and not self._has_input:
            # The session ended between two turns: no model has worked.
            self._settle(Outcome.refused(LedgerOutcome.OK))
        elif error is None:
            self._settle(Outcome.whole(self._usage, None, text_chars=self._text_chars))
        else:
            self._settle(Outcome.broken(error, self._usage, self._text_chars))

    def _settle(self, outcome: Outcome) -> None:
        model_call, self._model_call = self._model_call, None
        if model_call is not None:
            model_call.estimate = Estimate(self._input_tokens)
            model_call.settle(outcome)
