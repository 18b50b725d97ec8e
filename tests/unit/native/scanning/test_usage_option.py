"""The place of `stream_options.include_usage` is found in every body of an OpenAI chat that does not ask for usage."""

import json
from typing import Any

import pytest

from app.native.scanning import Policy, UsageOption
from app.native.scanning.policy import GENERATE, OPENAI_CHAT
from tests.unit.native.scanning.scans import scanned

ASKS = {"include_usage": True}


def with_usage(text: bytes, policy: Policy = OPENAI_CHAT) -> bytes:
    """Return the body with each option that was found written in its place."""
    for each in reversed(scanned(text, policy)):
        if isinstance(each.what, UsageOption):
            text = text[: each.start] + each.what.literal + text[each.end :]
    return text


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", ASKS),
        (', "stream_options": null ', ASKS),
        (', "stream_options": { }', ASKS),
        (', "stream_options": {"include_usage": false}', ASKS),
        (', "stream_options": {"include_usage": null }', ASKS),
        (', "stream_options": {"other": {"x": []} }', {"other": {"x": []}, **ASKS}),
        (', "stream\\u005foptions": {"include\\u005fusage": false}', ASKS),
        (', "stream_options": {"include_usage": true}', ASKS),
    ],
)
@pytest.mark.parametrize("is_before", [True, False])
def test_a_body_asks_for_usage_once_the_option_is_in_its_place(options: str, expected: Any, is_before: bool) -> None:
    rest = '"messages": [{"role": "user", "content": "say {\\"stream_options\\": 1}"}]'
    body = f'{{"stream": true{options}, {rest}}}' if is_before else f'{{{rest}, "stream": true{options} }}'

    read = json.loads(with_usage(body.encode()))

    assert read == {**json.loads(body), "stream_options": expected}


@pytest.mark.parametrize(
    "text", [b'{"stream": true, "stream_options": {"include_usage": true}}', b"[]", b'{"a": [{}]}']
)
def test_a_body_of_another_kind_or_one_that_asks_for_usage_stays_unchanged(text: bytes) -> None:
    policy = OPENAI_CHAT if b"stream" in text else GENERATE

    assert with_usage(text, policy) == text
