"""The time limits of an exchange with Gemini, and the block that ends when Gemini exceeds them.

    body sent ──its end──> answer_s ──whole answer, or a stream's first bytes
                                            └──stream──> pause_s between bytes, stream_s in all

While a body arrives from a client, Gemini's time does not run, since the client's own limits apply then. This module
knows no request and no surface.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType

from aiohttp import ClientResponse

from app.errors import UpstreamTimeoutError


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that Gemini may take.

    `answer_s` runs from the end of the request's body to the end of a whole answer or to a stream's first bytes;
    `limit` names its source (a setting, a field, a header) for the error. `pause_s` and `stream_s` bound a begun
    stream. `told_s` is the value of `X-Server-Timeout` for Gemini; None omits the header. `is_total` means that the
    time runs also while the body is sent, since the body is in memory and does not arrive from a client.
    """

    answer_s: float
    limit: str
    pause_s: float
    stream_s: float
    told_s: float | None = None
    is_total: bool = False

    @classmethod
    def total(cls, seconds: float, limit: str = "") -> "Patience":
        """Return the patience with one whole exchange."""
        return cls(seconds, limit, seconds, seconds, is_total=True)


class Deadline:
    """An `async with` block that ends with UpstreamTimeoutError if Gemini is late."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.spent_s = 0.0
        self._timeout = asyncio.timeout(None)
        self._late = ""
        self._is_sending = False
        self._is_over = False

    async def __aenter__(self) -> "Deadline":
        await self._timeout.__aenter__()
        self._expect(self.patience.answer_s - self.spent_s, self._no_answer())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            raise UpstreamTimeoutError(self._late) from error

    def spend(self, seconds: float) -> None:
        """Count time that has passed before the block began."""
        self.spent_s += seconds

    async def sending(self, body: AsyncIterator[bytes | memoryview]) -> AsyncIterator[bytes | memoryview]:
        """Yield a body that arrives from a client; the time runs only while a piece is being sent to Gemini."""
        pause_s = self.patience.pause_s
        self._is_sending = True
        self._rest()
        async for piece in body:
            self._expect_taken(pause_s)
            yield piece
            self._rest()
        self.begin_answer()

    def begin_answer(self) -> None:
        """Start the time for the answer, at the end of the body or with the answer's head, whichever comes first."""
        if self._is_sending:
            self._is_sending = False
            self._expect(self.patience.answer_s - self.spent_s, self._no_answer())

    def _rest(self) -> None:
        if self._is_sending:
            self._move(None, "")

    def _expect_taken(self, pause_s: float) -> None:
        # Gemini may answer before it has the whole body; from then on the answer's time runs.
        if self._is_sending:
            self._expect(pause_s, f"Gemini took no more of the request within {pause_s:g} s.")

    async def pieces(self, answer: ClientResponse, *, is_stream: bool) -> AsyncIterator[bytes]:
        """Yield the answer's bytes as they arrive. In a stream, `answer_s` limits only the first bytes.

        The time of a stream pauses while a piece is passed on; `stream_s` is checked after each piece.
        """
        content, loop = answer.content, asyncio.get_running_loop()
        ends_at = 0.0
        while True:
            piece = await content.readany()
            if is_stream:
                ends_at = ends_at or loop.time() + self.patience.stream_s
                self._move(None, "")
            if piece:
                yield piece
            if content.at_eof():
                return
            if is_stream:
                self._expect_more(ends_at, loop.time())

    def _expect_more(self, ends_at: float, now: float) -> None:
        pause_s, stream_s = self.patience.pause_s, self.patience.stream_s
        too_long = f"Gemini's stream lasted longer than {stream_s:g} s (STREAM_TIMEOUT_S)."
        if now >= ends_at:
            # The timer runs only while the reader waits, and so cannot end a stream that never makes it wait.
            raise UpstreamTimeoutError(too_long)
        if now + pause_s < ends_at:
            self._move(now + pause_s, f"Gemini's stream paused for more than {pause_s:g} s (REQUEST_TIMEOUT_S).")
        else:
            self._move(ends_at, too_long)

    def _no_answer(self) -> str:
        limit = f" ({self.patience.limit})" if self.patience.limit else ""
        return f"No answer from Gemini within {self.patience.answer_s:g} s{limit}."

    def _expect(self, seconds: float, late: str) -> None:
        self._move(asyncio.get_running_loop().time() + seconds, late)

    def _move(self, when: float | None, late: str) -> None:
        # The task that sends the body may outlive the block: a deadline that has passed must not be moved again.
        if not self._is_over and not self._timeout.expired():
            self._timeout.reschedule(when)
            self._late = late
