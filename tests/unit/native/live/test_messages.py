"""Gemini's messages of a Live session: usage, the end of a turn, handles."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.native.live.messages import NO_NEWS, read_server_message

USAGE = {"promptTokenCount": 7, "responseTokenCount": 3, "totalTokenCount": 10}


def read(message: Any) -> Any:
    return read_server_message(json.dumps(message, indent=2).encode())


def test_the_last_message_of_a_turn_has_its_usage() -> None:
    news = read({"serverContent": {"turnComplete": True}, "usageMetadata": USAGE})

    assert news.is_turn_end
    assert news.usage is not None
    assert (news.usage.input_tokens, news.usage.output_tokens) == (7, 3)


def test_a_call_of_functions_ends_a_turn() -> None:
    news = read({"toolCall": {"functionCalls": [{"name": "f"}]}, "usageMetadata": USAGE})

    assert news.is_turn_end
    assert news.usage is not None


def test_usage_in_the_middle_of_a_turn_does_not_end_it() -> None:
    news = read({"serverContent": {"modelTurn": {"parts": []}}, "usageMetadata": USAGE})

    assert not news.is_turn_end
    assert news.usage is not None


def test_a_handle_is_read() -> None:
    assert read({"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}}).handle == "h"


@pytest.mark.parametrize(
    "message",
    [
        {"serverContent": {"modelTurn": {"parts": [{"text": "turnComplete, usageMetadata"}]}}},
        {"serverContent": {"turnComplete": "yes"}},
        {"serverContent": {"interrupted": True}},
        {"serverContent": {"modelTurn": {"parts": [{"text": '{"toolCall": 1}'}]}}},
        {"sessionResumptionUpdate": {"newHandle": ""}},
        {"sessionResumptionUpdate": []},
        {"usageMetadata": []},
        ["usageMetadata"],
        "toolCall",
    ],
)
def test_words_in_other_places_tell_nothing(message: Any) -> None:
    assert read(message)._replace(text_chars=0) == NO_NEWS


@given(st.binary())
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    read_server_message(data)
    read_server_message(b'{"usageMetadata": ' + data)
