import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import (
    GatewayError,
    RateLimitedError,
    RejectedByModelError,
    UpstreamFailedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from app.gemini.answer import MAX_TOKENS, AnswerReader, Delta, Usage, by_modality, read_usage


def response(*parts: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return json.dumps({"candidates": [candidate], "modelVersion": "gemini-x", "responseId": "r"} | more).encode()


def fed(*responses: bytes) -> AnswerReader:
    reader = AnswerReader()
    for each in responses:
        reader.feed(each)
    return reader


def test_one_response_is_the_whole_answer() -> None:
    answer = fed(response({"text": "Hello"}, finish="STOP")).answer()

    assert (answer.text, answer.thoughts, answer.finish_reason, answer.model) == ("Hello", None, "stop", "gemini-x")
    assert (answer.block_reason, answer.finish_message, answer.usage.total_tokens) == (None, None, 0)


def test_a_stream_is_gathered_in_order_and_thoughts_apart() -> None:
    reader = AnswerReader()

    deltas = [
        reader.feed(response({"text": "Let me ", "thought": True}, {"text": "see.", "thought": True})),
        reader.feed(response({"text": "A "}, {"text": ""}, {"text": "cat"})),
        reader.feed(response({"text": "."}, finish="STOP")),
    ]

    assert deltas == [
        [Delta("Let me ", is_thought=True), Delta("see.", is_thought=True)],
        [Delta("A ", is_thought=False), Delta("cat", is_thought=False)],
        [Delta(".", is_thought=False)],
    ]
    answer = reader.answer()
    assert (answer.text, answer.thoughts) == ("A cat.", "Let me see.")
    assert reader.text_chars == len("A cat.")


@given(st.lists(st.tuples(st.text(max_size=5), st.booleans()), max_size=8))
def test_gathered_answers_equal_their_pieces(pieces: list[tuple[str, bool]]) -> None:
    reader = AnswerReader()

    deltas = [d for text, thought in pieces for d in reader.feed(response({"text": text, "thought": thought}))]

    answer = fed(*(response({"text": t, "thought": h}) for t, h in pieces), response(finish="STOP")).answer()
    assert answer.text == "".join(d.text for d in deltas if not d.is_thought)
    assert (answer.thoughts or "") == "".join(text for text, thought in pieces if thought)


def test_a_finish_reason_that_comes_early_does_not_end_the_answer() -> None:
    reader = fed(
        response({"text": "A"}, finish="STOP"),
        response({"text": "B"}),
        response(usageMetadata={"totalTokenCount": 9}),
    )

    answer = reader.answer()
    assert (answer.text, answer.finish_reason, answer.usage.total_tokens) == ("AB", "stop", 9)


def test_the_last_finish_reason_counts() -> None:
    assert fed(response(finish="STOP"), response(finish="MAX_TOKENS")).answer().finish_reason == "max_tokens"


@pytest.mark.parametrize("reason", ["SAFETY", "RECITATION", "IMAGE_SAFETY", "SOMETHING_OF_THE_FUTURE"])
def test_any_finish_reason_is_given_in_lower_case_with_its_message(reason: str) -> None:
    body = {"candidates": [{"finishReason": reason, "finishMessage": "Because."}]}

    answer = fed(json.dumps(body).encode()).answer()

    assert (answer.text, answer.finish_reason, answer.finish_message) == ("", reason.lower(), "Because.")


def test_a_refused_prompt_is_blocked_and_has_no_text() -> None:
    answer = fed(b'{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"modelVersion":"m"}').answer()

    assert (answer.text, answer.finish_reason, answer.block_reason) == ("", "blocked", "prohibited_content")
    assert answer.model == "m"


@pytest.mark.parametrize("body", [b"{}", b'{"candidates":[]}', response({"text": "Hello"})])
def test_a_whole_answer_without_a_finish_reason_is_unspecified(body: bytes) -> None:
    reader = AnswerReader(is_stream=False)
    reader.feed(body)

    assert reader.answer().finish_reason == "unspecified"


def test_a_stream_with_usage_that_ended_without_a_finish_reason_is_unspecified() -> None:
    answer = fed(response({"text": "Hello"}), response(usageMetadata={"totalTokenCount": 9})).answer()

    assert (answer.text, answer.finish_reason, answer.usage.total_tokens) == ("Hello", "unspecified", 9)


@pytest.mark.parametrize("responses", [[], [b"{}"], [response({"text": "Half an ans"})], [b'{"candidates":[]}']])
def test_a_stream_without_a_finish_reason_and_usage_was_cut(responses: list[bytes]) -> None:
    with pytest.raises(UpstreamFailedError, match="cut"):
        fed(*responses).answer()


@pytest.mark.parametrize("body", [b"", b"not JSON", b"[1]", b'"text"', b"null", b'{"candidates":', b"<html>", b"\xff"])
def test_an_answer_that_is_no_json_object_is_a_failure_of_gemini(body: bytes) -> None:
    with pytest.raises(UpstreamFailedError):
        AnswerReader().feed(body)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        (400, "INVALID_ARGUMENT", RejectedByModelError),
        (429, "RESOURCE_EXHAUSTED", RateLimitedError),
        (500, "INTERNAL", UpstreamFailedError),
        (503, "UNAVAILABLE", UpstreamUnavailableError),
        (504, "DEADLINE_EXCEEDED", UpstreamTimeoutError),
        ("invalid_request", None, UpstreamFailedError),
        (None, None, UpstreamFailedError),
    ],
)
def test_an_error_inside_a_stream_is_raised_as_its_refusal(code: object, status: str, kind: type[GatewayError]) -> None:
    reader = fed(response({"text": "So far"}))

    with pytest.raises(kind):
        reader.feed(json.dumps({"error": {"code": code, "message": "Sorry.", "status": status}}).encode())

    assert reader.text_chars == len("So far")


@pytest.mark.parametrize(
    "body",
    [
        {"candidates": [{"finishReason": "STOP", "turnToken": "t", "content": {"parts": [{"executableCode": {}}]}}]},
        {"candidates": [{"finishReason": "STOP", "content": None}]},
        {"candidates": [{"finishReason": "STOP", "content": {"parts": None}}]},
        {"candidates": [{"finishReason": "STOP", "content": {"parts": [None, 1, "x", {"text": 7}]}}]},
        {"candidates": [{"finishReason": "STOP"}, {"content": {"parts": [{"text": "another candidate"}]}}]},
        {"candidates": [{"finishReason": "STOP"}], "promptFeedback": None, "usageMetadata": None, "newField": [1]},
    ],
)
def test_fields_that_are_unknown_or_empty_are_no_error(body: dict[str, object]) -> None:
    answer = fed(json.dumps(body).encode()).answer()

    assert (answer.text, answer.usage, answer.finish_reason) == ("", read_usage({}), "stop")


def test_usage_is_the_last_that_was_told() -> None:
    grown = {
        "promptTokenCount": 300,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 5,
        "cachedContentTokenCount": 40,
        "toolUsePromptTokenCount": 7,
        "totalTokenCount": 332,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 10},
            {"modality": "IMAGE", "tokenCount": 258},
            {"modality": "AUDIO", "tokenCount": 32},
            {"modality": "HOLOGRAM", "tokenCount": 1},
        ],
        "trafficType": "ON_DEMAND",
    }

    first = response({"text": "a"}, usageMetadata={"promptTokenCount": 300, "totalTokenCount": 300})
    usage = fed(first, response(usageMetadata=grown), response(finish="STOP")).answer().usage

    by = {"text": 10, "image": 258, "audio": 32, "video": 0, "document": 0, "hologram": 1}
    assert usage == Usage(307, 20, 5, 40, 332, by)


def test_an_empty_usage_does_not_replace_an_earlier_one() -> None:
    reader = fed(response(usageMetadata={"totalTokenCount": 9}), response(finish="STOP", usageMetadata=None))

    assert reader.answer().usage.total_tokens == 9


@pytest.mark.parametrize(
    "details", [None, {}, "x", [None], [{"modality": "TEXT"}], [{"modality": "TEXT", "tokenCount": "3"}]]
)
def test_details_that_cannot_be_read_count_as_nothing(details: object) -> None:
    assert by_modality(details) == {"text": 0, "image": 0, "audio": 0, "video": 0, "document": 0}


@pytest.mark.parametrize("written", ["-5", "true", "1e300", "18446744073709551615", '"7"', "[]", "null"])
def test_no_count_of_geminis_is_negative_a_flag_or_larger_than_a_count_can_be(written: str) -> None:
    usage = read_usage(json.loads(f'{{"promptTokenCount": {written}, "totalTokenCount": {written}}}'))

    for count in (usage.input_tokens, usage.total_tokens):
        assert type(count) is int
        assert 0 <= count <= MAX_TOKENS


@pytest.mark.parametrize("value", [[["x"]], {"a": "x"}, 5, True, None])
def test_words_of_an_answer_that_are_no_strings_are_absent(value: object) -> None:
    reader = AnswerReader(is_stream=False)
    reader.feed(
        json.dumps(
            {
                "candidates": [{"finishReason": value, "finishMessage": value}],
                "promptFeedback": {"blockReason": value},
                "modelVersion": value,
                "usageMetadata": {"promptTokensDetails": [{"modality": value, "tokenCount": 5}]},
            }
        ).encode()
    )
    answer = reader.answer()

    assert (answer.finish_reason, answer.finish_message, answer.block_reason, answer.model) == (
        *("unspecified", None, None, None),
    )
    assert set(answer.usage.input_by_modality.values()) == {0}
