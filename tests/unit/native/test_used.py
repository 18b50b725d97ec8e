"""What passing bytes say of their usage, whole or in pieces, compressed or not."""

import gzip
import zlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gemini.answer import Usage
from app.native.reading import read_generation, read_interaction, read_live, read_openai
from app.native.used import GUNZIP_BYTES, MAX_GUNZIPPED_BYTES, MAX_TAIL_BYTES, Json, RelayedUsage, UsageReader
from tests.native_bodies import pieces

METADATA = {
    "promptTokenCount": 10,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 2,
    "totalTokenCount": 17,
    "promptTokensDetails": [{"modality": "IMAGE", "tokenCount": 8}, {"modality": "TEXT", "tokenCount": 2}],
}


def response(text: str, **usage: object) -> dict[str, object]:
    return {
        "candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}],
        "usageMetadata": {**METADATA, **usage},
        "modelVersion": "m",
        "turnToken": "t",
    }


def read(*texts: bytes, is_stream: bool = False, is_gzip: bool = False) -> RelayedUsage:
    reader = UsageReader(read_generation, b"usageMetadata", is_stream=is_stream, is_gzip=is_gzip)
    for text in texts:
        reader.feed(text)
    return reader.said()


def stream(*counts: int) -> bytes:
    frames = [orjson.dumps(response("Hello", candidatesTokenCount=count)) for count in counts]
    return b"".join(b"data: %b\r\n\r\n" % frame for frame in frames)


@given(st.data(), st.booleans())
def test_a_whole_answer_tells_its_usage_however_it_is_cut(data: st.DataObject, is_gzip: bool) -> None:
    body = orjson.dumps(response("Hello"))

    said = read(*data.draw(pieces(gzip.compress(body) if is_gzip else body)), is_gzip=is_gzip)

    assert said.usage is not None
    assert (said.usage.input_tokens, said.usage.output_tokens, said.usage.thinking_tokens) == (10, 5, 2)
    assert said.usage.input_by_modality["image"] == 8
    assert (said.model, said.finish_reason) == ("m", "stop")


@given(st.data())
def test_of_a_stream_the_last_usage_counts(data: st.DataObject) -> None:
    said = read(*data.draw(pieces(stream(1, 2, 9))), is_stream=True)

    assert said.usage is not None
    assert said.usage.output_tokens == 9


def test_a_cut_stream_delivers_its_whole_elements() -> None:
    whole = stream(1, 2)

    said = read(whole + stream(3)[:-40], is_stream=True)

    assert said.usage is not None
    assert said.usage.output_tokens == 2


def test_a_compressed_stream_is_read_while_it_comes() -> None:
    compress = zlib.compressobj(wbits=31)
    first = compress.compress(stream(4)) + compress.flush(zlib.Z_SYNC_FLUSH)

    said = read(first, is_stream=True, is_gzip=True)

    assert said.usage is not None
    assert said.usage.output_tokens == 4


def test_a_stream_that_is_one_array_tells_the_usage_of_its_last_element() -> None:
    body = b"[" + b",\r\n".join(orjson.dumps(response("x", candidatesTokenCount=count)) for count in (1, 7)) + b"]\n"

    said = read(body)

    assert said.usage is not None
    assert said.usage.output_tokens == 7


@pytest.mark.parametrize("is_stream", [False, True])
def test_of_an_answer_of_any_size_only_its_end_is_held(is_stream: bool) -> None:
    body = orjson.dumps(response("x" * (3 * MAX_TAIL_BYTES)))
    body = b"data: %b\r\n\r\n" % body if is_stream else body
    reader = UsageReader(read_generation, b"usageMetadata", is_stream=is_stream, is_gzip=False)

    for start in range(0, len(body), 50_000):
        reader.feed(body[start : start + 50_000])

    said = reader.said()
    assert said.usage is not None
    assert said.usage.output_tokens == 5


@pytest.mark.parametrize("size", [0, 3 * MAX_TAIL_BYTES])
def test_usage_words_in_the_models_text_are_not_usage(size: int) -> None:
    forged = {"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1}}
    answer = response("x" * size + orjson.dumps(forged).decode())
    answer["candidates"] = [{"content": {"parts": [{"functionCall": {"args": forged}}, {"text": "x" * size}]}}]

    said = read(orjson.dumps(answer))

    assert said.usage is not None
    assert said.usage.input_tokens == 10


def test_usage_that_is_not_there_is_not_made_up() -> None:
    assert read(b"{}") == RelayedUsage()
    assert read(b"not json").usage is None
    assert read(b"").usage is None
    assert read(b"garbage", is_gzip=True).usage is None


def test_interactions_tell_their_usage_in_words_of_their_own() -> None:
    usage = {
        "total_input_tokens": 4,
        "total_output_tokens": 3,
        "total_thought_tokens": 2,
        "total_cached_tokens": 1,
        "total_tokens": 9,
        "input_tokens_by_modality": [{"modality": "text", "tokens": 4}],
    }

    messages: list[Json] = [
        {"id": "i", "status": "completed", "usage": usage},
        {"interaction": {"status": "completed", "usage": usage}, "event_type": "interaction.completed"},
    ]
    for message in messages:
        said = read_interaction(message)
        assert said.finish_reason == "completed"
        assert said.usage is not None
        assert (said.usage.input_tokens, said.usage.output_tokens, said.usage.thinking_tokens) == (4, 3, 2)
        assert (said.usage.cached_tokens, said.usage.input_by_modality["text"]) == (1, 4)


def test_openais_thoughts_are_the_rest_of_the_total() -> None:
    said = read_openai({"usage": {"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 9}, "model": "m"})

    assert said.usage == Usage(4, 3, 2, 0, 9)


def test_a_turn_of_a_live_session_has_responses() -> None:
    said = read_live({"usageMetadata": {"promptTokenCount": 4, "responseTokenCount": 3, "totalTokenCount": 7}})

    assert said.usage is not None
    assert (said.usage.input_tokens, said.usage.output_tokens) == (4, 3)


def test_a_compressed_bomb_costs_little_and_tells_no_usage() -> None:
    reader = UsageReader(read_generation, b"usageMetadata", is_stream=False, is_gzip=True)

    reader.feed(gzip.compress(bytes(100_000_000)))
    reader.feed(gzip.compress(orjson.dumps(response("Hello"))))

    assert reader.text_bytes <= MAX_GUNZIPPED_BYTES + GUNZIP_BYTES
    assert reader.said() == RelayedUsage()


def test_an_answer_that_is_not_gzip_as_it_says_tells_no_usage() -> None:
    whole = orjson.dumps(response("Hello"))

    assert read(b"no gzip", gzip.compress(whole), is_gzip=True) == RelayedUsage()
