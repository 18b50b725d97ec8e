"""A transcript as OpenAI's stream events: text as it arrives, segments if wanted, the whole transcript at the end.

The status line is sent with the first event, so that an earlier failure is an ordinary error.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable

import orjson
from starlette.types import Scope, Send

from app.edge.reply import error_body
from app.errors import GatewayError
from app.tasks.transcriptions.openai.shapes import Diarization, Json
from app.tasks.transcriptions.preview import Preview
from app.tasks.transcriptions.reading import Segment, Transcript, TranscriptReading

LOOK_EVERY_S = 0.5
_LOOK_SHARE = 10
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class TranscriptEvents:
    """Writes one stream of events; `is_begun` is true after the first bytes."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self.is_begun = False

    async def write(self, event: Json) -> None:
        """Send one event."""
        await self._write(orjson.dumps(event))

    async def fail(self, error: GatewayError) -> None:
        """End a begun stream with an error, where OpenAI's clients look for it."""
        await self._write(error_body(self._scope, error))
        await self.end()

    async def end(self) -> None:
        """End the stream."""
        await self._send({"type": "http.response.body", "body": b""})

    async def _write(self, data: bytes) -> None:
        if not self.is_begun:
            self.is_begun = True
            await self._send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await self._send({"type": "http.response.body", "body": b"data: %s\n\n" % data, "more_body": True})


class TranscriptListener:
    """Receives a model's answers as they arrive, and sends the new part of the transcript.

    The transcript is read at most every half second and for at most a tenth of the time, however long it grows.
    `known_speakers` are the names that speakers keep in segment events; None sends no such events.
    """

    def __init__(
        self,
        events: TranscriptEvents,
        make: Callable[[], Transcript],
        *,
        known_speakers: frozenset[str] | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._events = events
        self._preview = Preview(make)
        self._news = _News(known_speakers)
        self._clock = clock
        self._look_at = clock() + LOOK_EVERY_S

    async def begin(self) -> None:
        """Begin another answer."""
        self._preview.begin()

    async def hear(self, text: str) -> None:
        """Add text to the answer, and send new events if it is time."""
        self._preview.feed(text)
        began = self._clock()
        if began < self._look_at:
            return
        news = await asyncio.to_thread(lambda: self._news.of(self._preview.look().result(), is_whole=False))
        # Reading costs more as the transcript grows, so the pauses grow with it.
        self._look_at = self._clock() + max(LOOK_EVERY_S, _LOOK_SHARE * (self._clock() - began))
        await self._tell(news)

    async def finish(self, found: TranscriptReading) -> None:
        """Send the rest of the whole transcript."""
        await self._tell(await asyncio.to_thread(self._news.of, found, is_whole=True))

    async def _tell(self, news: list[Json]) -> None:
        for event in news:
            await self._events.write(event)


class _News:
    """Finds the unsent part of a growing transcript."""

    # Segments are sent in the order of arrival, which may differ from the order of their times, since a sent segment
    # cannot be taken back. Segments are identified by their text and its count, because later text may correct their
    # times.

    def __init__(self, known_speakers: frozenset[str] | None) -> None:
        self._diarization = None if known_speakers is None else Diarization(known_speakers)
        self._in_text: Counter[str] = Counter()
        self._in_segments: Counter[str] = Counter()

    def of(self, found: TranscriptReading, *, is_whole: bool) -> list[Json]:
        """Return the events for new text and segments, and note them as sent; work for a thread."""
        arrived = sorted(found.segments, key=lambda one: one.arrival)
        events: list[Json] = []
        if self._diarization is not None:
            # The end of the last segment may still be corrected by the next segment.
            settled = arrived if is_whole else arrived[:-1]
            events += [self._diarization.segment(one) for one in _untold(settled, self._in_segments)]
        separator = " " if self._in_text else ""
        delta = " ".join(one.text for one in _untold(arrived, self._in_text))
        if delta:
            events.append({"type": "transcript.text.delta", "delta": separator + delta})
        return events


def _untold(arrived: Iterable[Segment], told: Counter[str]) -> list[Segment]:
    """Return the segments that are not among the sent segments, and add them there."""
    seen: Counter[str] = Counter()
    untold: list[Segment] = []
    for one in arrived:
        seen[one.text] += 1
        if seen[one.text] > told[one.text]:
            told[one.text] += 1
            untold.append(one)
    return untold
