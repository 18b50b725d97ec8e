"""The usage in passing bytes, whole or in pieces, compressed or not."""

import gzip
import zlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gemini.answer import Usage
from app.native.reading import read_generation, read_interaction, read_live, read_openai
from app.native.usage_reader import (
    GUNZIP_BYTES,
    MAX_GUNZIPPED_BYTES,
    MAX_TAIL_BYTES,
    Json,
    Reading,
    RelayedUsage,
    TextCounter,
    UsageReader,
)
from tests.native_bodies import pieces

READING = Reading(read_generation, b"usageMetadata")
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
    reader = UsageReader(READING, is_stream=is_stream, is_gzip=is_gzip)
    for text in texts:
        reader.feed(text)
    return reader.relayed()


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


@pytest.mark.parametrize("cut", [1, 30, 150])
def test_a_cut_array_tells_the_usage_of_its_last_whole_element(cut: int) -> None:
    forged = {"functionCall": {"args": {"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1}}}}
    last = response("x", candidatesTokenCount=9)
    last["candidates"] = [{"content": {"parts": [forged]}}]
    elements = [orjson.dumps(each) for each in (response("Hello", candidatesTokenCount=7), last)]

    said = read((b"[" + b",\r\n".join(elements))[:-cut])

    assert said.usage is not None
    assert said.usage.output_tokens == 7
    assert said.text_chars == len("Hello")


@pytest.mark.parametrize("is_stream", [False, True])
def test_of_an_answer_of_any_size_only_its_end_is_held(is_stream: bool) -> None:
    body = orjson.dumps(response("x" * (3 * MAX_TAIL_BYTES)))
    body = b"data: %b\r\n\r\n" % body if is_stream else body
    reader = UsageReader(READING, is_stream=is_stream, is_gzip=False)

    for start in range(0, len(body), 50_000):
        reader.feed(body[start : start + 50_000])

    said = reader.relayed()
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
    reader = UsageReader(READING, is_stream=False, is_gzip=True)

    reader.feed(gzip.compress(bytes(100_000_000)))
    reader.feed(gzip.compress(orjson.dumps(response("Hello"))))

    assert reader.decoded_bytes <= MAX_GUNZIPPED_BYTES + GUNZIP_BYTES
    assert reader.relayed() == RelayedUsage()


def test_an_answer_that_is_not_gzip_as_it_says_tells_no_usage() -> None:
    whole = orjson.dumps(response("Hello"))

    assert read(b"no gzip", gzip.compress(whole), is_gzip=True) == RelayedUsage()


def test_a_frame_without_usage_that_mentions_the_word_does_not_hide_earlier_usage() -> None:
    last = orjson.dumps({"candidates": [{"content": {"parts": [{"text": 'the "usageMetadata" field'}]}}]})

    relayed = read(stream(4) + b"data: %b\r\n\r\n" % last, is_stream=True)

    assert relayed.usage is not None
    assert relayed.usage.output_tokens == 4
    assert relayed.finish_reason == "stop"


def test_usage_of_thinking_alone_is_usage() -> None:
    frame = orjson.dumps({"usageMetadata": {"promptTokenCount": 5, "thoughtsTokenCount": 900}})

    relayed = read(b"data: %b\n\n" % frame, is_stream=True)

    assert relayed.usage == read_generation(orjson.loads(frame)).usage
    assert relayed.usage is not None
    assert relayed.usage.thinking_tokens == 900


def test_the_text_of_a_stream_is_counted_without_thoughts() -> None:
    parts = [{"text": "Höllo"}, {"text": "hmm", "thought": True}]
    frame = b"data: %b\n\n" % orjson.dumps({"candidates": [{"content": {"parts": parts}}]})

    assert read(frame * 3, is_stream=True).text_chars == 15


def test_the_last_chunk_of_an_openai_stream_does_not_hide_the_finish_reason() -> None:
    chunks: list[Json] = [
        {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "length"}]},
        {"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5}},
    ]
    reader = UsageReader(Reading(read_openai, b"usage"), is_stream=True, is_gzip=False)
    for chunk in chunks:
        reader.feed(b"data: %b\n\n" % orjson.dumps(chunk))
    reader.feed(b"data: [DONE]\n\n")

    assert reader.relayed()[:3] == (Usage(4, 1, 0, 0, 5), None, "length")
    assert reader.relayed().text_chars == 2


@given(st.data(), st.lists(st.text()))
def test_the_text_of_a_document_is_counted_however_it_is_cut(data: st.DataObject, texts: list[str]) -> None:
    body = orjson.dumps([{"text": each, "data": "AAAA"} for each in texts])
    counter = TextCounter(b"text")

    for piece in data.draw(pieces(body)):
        counter.feed(piece)

    # A character beyond the basic plane is one character, however it is written.
    assert counter.chars == sum(map(len, texts))


def test_text_in_a_document_that_breaks_off_counts() -> None:
    body = orjson.dumps(response("x" * 400))

    assert read(body[: body.index(b"xxx") + 100]) == RelayedUsage(text_chars=100)
