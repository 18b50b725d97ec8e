"""A transcript as a stream of OpenAI's events."""

from collections.abc import MutableMapping
from operator import itemgetter
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from app.errors import UpstreamTimeoutError
from app.tasks.transcriptions.openai.stream import TranscriptEvents, TranscriptListener
from app.tasks.transcriptions.reading import Transcript

SCOPE = {"type": "http", "path": "/v1/openai/audio/transcriptions", "raw_path": b""}
FIRST = '{"segments": [{"start": "00:01", "end": "00:02", "speaker": "X", "text": "one"}, '
SECOND = '{"start": "00:02", "end": "00:03", "speaker": "Y", "text": "two"}]}'


class Wire:
    """Records the sent bytes, and returns the time."""

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


def listener(wire: Wire, known_speakers: frozenset[str] | None = None) -> TranscriptListener:
    return TranscriptListener(
        TranscriptEvents(SCOPE, wire.send), make, known_speakers=known_speakers, clock=lambda: wire.time
    )


async def test_text_deltas_are_sent_while_text_arrives() -> None:
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


async def test_segments_are_sent_once_after_their_last_change() -> None:
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


EARLIER = '{"segments": [{"start": "00:05", "end": "00:06", "speaker": "X", "text": "three"}, '
LATER = [
    '{"start": "00:02", "end": "00:03", "speaker": "Y", "text": "one"}, ',
    '{"start": "00:03", "end": "00:04", "speaker": "X", "text": "one"}, ',
    '{"start": "00:06", "end": "00:07", "speaker": "Z", "text": "four"}]}',
]


async def hear_out_of_order(wire: Wire, known_speakers: frozenset[str] | None = None) -> None:
    hearing = listener(wire, known_speakers)
    whole = make()
    whole.take(EARLIER + "".join(LATER))
    await hearing.begin()
    for piece in (EARLIER, *LATER):
        wire.time += 10
        await hearing.hear(piece)
    await hearing.finish(whole.result())


async def test_late_segments_are_sent_on_arrival() -> None:
    wire = Wire()

    await hear_out_of_order(wire)

    assert [event["delta"] for event in wire.events] == ["three", " one", " one", " four"]


async def test_each_segment_is_sent_once_with_the_same_speaker_name() -> None:
    wire = Wire()

    await hear_out_of_order(wire, frozenset())

    segments = [event for event in wire.events if event["type"] == "transcript.text.segment"]
    assert [(one["id"], one["start"], one["speaker"], one["text"]) for one in segments] == [
        ("seg_0", 5, "A", "three"),
        ("seg_1", 2, "B", "one"),
        ("seg_2", 3, "A", "one"),
        ("seg_3", 6, "C", "four"),
    ]


@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from(["yes", "no", "well then"])), max_size=8), st.booleans())
async def test_segments_in_any_order_are_each_sent_once(told: list[tuple[int, str]], is_in_order: bool) -> None:
    told = sorted(told, key=itemgetter(0)) if is_in_order else told
    items = [{"start": start, "end": start + 1, "text": text} for start, text in told]
    answer = orjson.dumps({"segments": items}).decode()
    wire = Wire()
    hearing = listener(wire)
    whole = make()
    whole.take(answer)
    await hearing.begin()
    for at in range(0, len(answer), 20):
        wire.time += 10
        await hearing.hear(answer[at : at + 20])
    await hearing.finish(whole.result())

    text = "".join(event["delta"] for event in wire.events)
    assert text == " ".join(text for _, text in told)
    assert text == whole.result().text or not is_in_order


async def test_a_stream_that_has_begun_ends_with_an_error_in_openais_shape() -> None:
    wire = Wire()
    events = TranscriptEvents(SCOPE, wire.send)
    await events.write({"type": "transcript.text.delta", "delta": "one"})

    await events.fail(UpstreamTimeoutError("It took too long."))

    assert wire.events[-1]["error"]["code"] == "upstream_timeout"
    assert wire.sent[-1] == {"type": "http.response.body", "body": b""}
    assert [message["type"] for message in wire.sent].count("http.response.start") == 1
