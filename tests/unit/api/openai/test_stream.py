"""A transcript as a stream of OpenAI's events."""

from collections.abc import MutableMapping
from typing import Any

import orjson

from app.api.openai.stream import Events, Listener
from app.errors import UpstreamTimeoutError
from app.tasks.transcription import Transcript

SCOPE = {"type": "http", "path": "/v1/openai/audio/transcriptions", "raw_path": b""}
FIRST = '{"segments": [{"start": "00:01", "end": "00:02", "speaker": "X", "text": "one"}, '
SECOND = '{"start": "00:02", "end": "00:03", "speaker": "Y", "text": "two"}]}'


class Wire:
    """Takes what is sent, and tells the time."""

    def __init__(self) -> None:
        self.sent: list[MutableMapping[str, Any]] = []
        self.time = 0.0

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message)

    @property
    def events(self) -> list[Any]:
        bodies = [message["body"] for message in self.sent if message["type"] == "http.response.body"]
        return [orjson.loads(body.removeprefix(b"data: ").removesuffix(b"\n\n")) for body in bodies if body]


def make() -> Transcript:
    return Transcript(duration=10, start=None, end=None)


def listener(wire: Wire, known_speakers: frozenset[str] | None = None) -> Listener:
    return Listener(Events(SCOPE, wire.send), make, known_speakers=known_speakers, clock=lambda: wire.time)


async def test_text_is_told_while_it_arrives() -> None:
    wire = Wire()
    hearing = listener(wire)
    await hearing.begin()

    await hearing.hear(FIRST)
    early = list(wire.events)
    wire.time = 1.0
    await hearing.hear(SECOND[:10])
    later = list(wire.events)

    assert early == []
    assert later == [{"type": "transcript.text.delta", "delta": "one"}]


async def test_the_pieces_together_are_the_text() -> None:
    wire = Wire()
    hearing = listener(wire)
    whole = make()
    whole.take(FIRST + SECOND)
    await hearing.begin()
    for piece in (FIRST + SECOND).split(" "):
        wire.time += 10
        await hearing.hear(piece + " ")

    await hearing.finish(whole.result())

    assert "".join(event["delta"] for event in wire.events) == "one two"


async def test_segments_are_told_once_each_when_no_more_can_change_them() -> None:
    wire = Wire()
    hearing = listener(wire, frozenset({"Y"}))
    whole = make()
    whole.take(FIRST + SECOND)
    await hearing.begin()
    wire.time = 10
    await hearing.hear(FIRST)
    before = [event["type"] for event in wire.events]

    await hearing.finish(whole.result())

    assert before == ["transcript.text.delta"]
    segments = [event for event in wire.events if event["type"] == "transcript.text.segment"]
    assert [(one["id"], one["speaker"]) for one in segments] == [("seg_0", "A"), ("seg_1", "Y")]


async def test_a_stream_that_has_begun_ends_with_an_error_in_openais_shape() -> None:
    wire = Wire()
    events = Events(SCOPE, wire.send)
    await events.write({"type": "transcript.text.delta", "delta": "one"})

    await events.fail(UpstreamTimeoutError("It took too long."))

    assert wire.events[-1]["error"]["code"] == "upstream_timeout"
    assert wire.sent[-1] == {"type": "http.response.body", "body": b""}
    assert [message["type"] for message in wire.sent].count("http.response.start") == 1
