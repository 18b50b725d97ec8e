"""A transcript as OpenAI's stream events: text as it comes, segments where they are wanted, the whole at last.

The status line goes out with the first event, so that what fails before is an ordinary error.
"""

import asyncio
import time
from collections.abc import Callable

import orjson
from starlette.types import Scope, Send

from app.api.openai.shapes import Json, diarized_segments
from app.edge.reply import error_body
from app.errors import GatewayError
from app.tasks.preview import Preview
from app.tasks.transcription import Transcript, Transcription

LOOK_EVERY_S = 0.5
_LOOK_SHARE = 10
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class Events:
    """Writes one stream of events; `is_begun` once anything has gone out."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self.is_begun = False

    async def write(self, event: Json) -> None:
        """Send one event."""
        await self._write(orjson.dumps(event))

    async def fail(self, error: GatewayError) -> None:
        """End a stream that has begun with an error, as OpenAI's clients look for it."""
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


class Listener:
    """Hears a model's answers as they come, and tells what is new in the transcript.

    It looks at most every half second, and at most a tenth of the time, however long the transcript grows.
    `known_speakers` are the names that speakers keep in events of segments; without it there are no such events.
    """

    def __init__(
        self,
        events: Events,
        make: Callable[[], Transcript],
        *,
        known_speakers: frozenset[str] | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._events = events
        self._preview = Preview(make)
        self._known_speakers = known_speakers
        self._clock = clock
        self._look_at = clock() + LOOK_EVERY_S
        self._sent_segments = 0
        self._sent = ""

    async def begin(self) -> None:
        """Note that another answer begins."""
        self._preview.begin()

    async def hear(self, text: str) -> None:
        """Take in more of an answer."""
        self._preview.feed(text)
        began = self._clock()
        if began < self._look_at:
            return
        found = await asyncio.to_thread(lambda: self._preview.look().result())
        self._look_at = self._clock() + max(LOOK_EVERY_S, _LOOK_SHARE * (self._clock() - began))
        # The last segment's end may still be mended by what follows it.
        await self._tell(found, len(found.segments) - 1)

    async def finish(self, found: Transcription) -> None:
        """Tell what is left of the whole transcript."""
        await self._tell(found, len(found.segments))

    async def _tell(self, found: Transcription, count: int) -> None:
        if self._known_speakers is not None:
            for segment in diarized_segments(found.segments, self._known_speakers)[self._sent_segments : count]:
                await self._events.write(segment)
            self._sent_segments = max(self._sent_segments, count)
        if found.text.startswith(self._sent) and len(found.text) > len(self._sent):
            delta = found.text[len(self._sent) :]
            self._sent = found.text
            await self._events.write({"type": "transcript.text.delta", "delta": delta})
