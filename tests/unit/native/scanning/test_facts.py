"""Facts: values that bear on cost are read only from the place where Gemini reads them."""

import json
from typing import Any

import pytest

from app.errors import MalformedRequestError
from app.native.scanning import Policy
from app.native.scanning.policy import BATCH, GENERATE, INTERACTIONS, LIVE, OPENAI_CHAT
from tests.unit.native.scanning.scans import facts_of

NESTED = {
    "model": "x",
    "background": False,
    "store": False,
    "stream": True,
    "service_tier": "flex",
    "n": 9,
    "max_tokens": 1,
    "maxOutputTokens": 1,
    "candidateCount": 9,
}


def read(body: Any, policy: Policy) -> Any:
    return facts_of(json.dumps(body).encode(), policy)


def test_an_interactions_facts_are_read_at_its_root() -> None:
    body = {
        "store": False,
        "background": True,
        "stream": True,
        "service_tier": "FLEX",
        "input": "12345678",
        "generation_config": {"max_output_tokens": 100},
    }

    facts = read(body, INTERACTIONS)

    assert (facts.store, facts.is_background, facts.stream, facts.service_tier) == (False, True, True, "flex")
    assert (facts.max_output_tokens, facts.text_bytes) == (100, 8)


def test_a_completions_facts_are_read_at_its_root() -> None:
    facts = read({"stream": True, "n": 2, "max_tokens": 5, "max_completion_tokens": 7}, OPENAI_CHAT)

    assert (facts.stream, facts.candidates, facts.max_output_tokens) == (True, 2, 7)


@pytest.mark.parametrize(
    ("policy", "body"),
    [
        (GENERATE, {"serviceTier": "flex", "generationConfig": {"maxOutputTokens": 100, "candidateCount": 2}}),
        (GENERATE, {"service_tier": "flex", "generation_config": {"max_output_tokens": "100", "candidate_count": "2"}}),
        (GENERATE, {"serviceTier": "flex", "generationConfig": {"maxOutputTokens": 1e2, "candidateCount": "2.0"}}),
        (LIVE, {"setup": {"serviceTier": "flex", "generationConfig": {"maxOutputTokens": 100, "candidateCount": 2}}}),
    ],
)
def test_a_calls_facts_are_read_as_proto3_writes_them(policy: Policy, body: Any) -> None:
    facts = read(body, policy)

    assert (facts.service_tier, facts.max_output_tokens, facts.candidates) == ("flex", 100, 2)


def test_of_a_batchs_requests_the_largest_count_holds() -> None:
    requests = [{"request": {"generationConfig": {"maxOutputTokens": most}}} for most in (5, 9, 7)]

    assert read({"batch": {"inputConfig": {"requests": {"requests": requests}}}}, BATCH).max_output_tokens == 9


@pytest.mark.parametrize(
    ("policy", "body"),
    [
        (INTERACTIONS, {"input": [{"type": "function_result", "result": NESTED}]}),
        (INTERACTIONS, {"input": [NESTED], "generation_config": {"x": NESTED}}),
        (INTERACTIONS, {"labels": NESTED, "tools": [NESTED]}),
        (OPENAI_CHAT, {"metadata": NESTED, "messages": [NESTED], "extra_body": NESTED}),
        (GENERATE, {"contents": [NESTED], "labels": NESTED, "x": {"generationConfig": NESTED}}),
        (LIVE, NESTED),
        (LIVE, {"clientContent": {"turns": [{"generationConfig": NESTED}]}}),
    ],
)
def test_a_nested_fact_changes_nothing(policy: Policy, body: Any) -> None:
    facts = read(body, policy)

    assert (facts.store, facts.is_background, facts.stream, facts.service_tier) == (None, False, None, None)
    assert (facts.max_output_tokens, facts.candidates) == (None, 1)


@pytest.mark.parametrize("value", ["true", 1, "false", 0, "x"])
def test_background_is_off_only_if_it_is_false(value: Any) -> None:
    assert read({"background": value}, INTERACTIONS).is_background
    assert not read({"background": False}, INTERACTIONS).is_background
    assert not read({"background": None}, INTERACTIONS).is_background


@pytest.mark.parametrize("number", [b"1e999", b"-5", b"true", b'"x"', b'"nan"', b'"inf"', b"0", b"null", b'""'])
def test_a_count_that_is_not_positive_is_no_count(number: bytes) -> None:
    body = b'{"generationConfig": {"maxOutputTokens": %b, "candidateCount": %b}}' % (number, number)

    assert (facts_of(body, GENERATE).max_output_tokens, facts_of(body, GENERATE).candidates) == (None, 1)


def test_a_huge_count_is_the_largest_that_gemini_reads() -> None:
    body = b'{"generationConfig": {"maxOutputTokens": %b}}' % (b"9" * 399)

    assert facts_of(body, GENERATE).max_output_tokens in (None, 2**31 - 1)


@pytest.mark.parametrize("body", [{"background": {}}, {"service_tier": ["flex"]}, {"store": []}])
def test_a_fact_is_neither_an_object_nor_a_list(body: Any) -> None:
    with pytest.raises(MalformedRequestError, match="must not be an object or a list"):
        read(body, INTERACTIONS)


def test_media_is_counted_by_its_type() -> None:
    body = (
        b'{"x": [{"data": "AAAA", "mime_type": "image/png"}, {"mimeType": "image/PNG", "data": "BBBBBBBB"},'
        b'{"data": "CC"}]}'
    )

    facts = facts_of(body, GENERATE)

    assert (facts.media_bytes, facts.media_count) == ({"image/png": 12, "": 2}, {"image/png": 2, "": 1})


@pytest.mark.parametrize("size", [8, 100_000])
def test_a_data_url_is_media_of_the_type_that_it_names(size: int) -> None:
    url = f"data:image/png;base64,{'A' * size}"
    body = {"messages": [{"content": [{"type": "image_url", "image_url": {"url": url}}]}]}

    facts = read(body, OPENAI_CHAT)

    assert list(facts.media_bytes) == ["image/png"]
    assert facts.media_bytes["image/png"] == pytest.approx(size, abs=40)


@pytest.mark.parametrize(
    ("policy", "body", "tool"),
    [
        (GENERATE, {"tools": [{"googleSearch": {}}]}, "googleSearch"),
        (GENERATE, {"tools": [{"google_search": {"exclude_domains": ["a.example"]}}]}, "google_search"),
        (GENERATE, {"tools": {"GOOGLEMAPS": {}}}, "GOOGLEMAPS"),
        (GENERATE, {"tools": [{"functionDeclarations": []}, {"urlContext": {}}]}, "urlContext"),
        (LIVE, {"setup": {"tools": [{"googleSearch": {}}]}}, "googleSearch"),
        (
            BATCH,
            {"batch": {"inputConfig": {"requests": {"requests": [{"request": {"tools": [{"googleMaps": {}}]}}]}}}},
            "googleMaps",
        ),
        (INTERACTIONS, {"tools": [{"type": "google_search"}]}, "google_search"),
        (INTERACTIONS, {"tools": [{"type": "url_context"}]}, "url_context"),
        (OPENAI_CHAT, {"tools": [{"type": "google_search"}]}, "google_search"),
        (OPENAI_CHAT, {"web_search_options": {}}, "web_search_options"),
    ],
)
def test_tools_that_cost_extra_are_found_at_their_place(policy: Policy, body: Any, tool: str) -> None:
    assert read(body, policy).paid_tools == {tool}


@pytest.mark.parametrize(
    ("policy", "body"),
    [
        (GENERATE, {"tools": [{"codeExecution": {}}, {"googleSearch": None}]}),
        (GENERATE, {"contents": [{"parts": [{"functionCall": {"args": {"googleSearch": {}}}}]}]}),
        (GENERATE, {"contents": [{"googleSearch": {}, "parts": [{"text": "googleSearch"}]}]}),
        (GENERATE, {"tools": [{"functionDeclarations": [{"parameters": {"googleSearch": {}}}]}]}),
        (INTERACTIONS, {"input": [{"type": "google_search"}], "tools": [{"type": "code_execution"}]}),
        (OPENAI_CHAT, {"messages": [{"content": [{"type": "google_search"}]}], "tools": [{"type": "function"}]}),
    ],
)
def test_the_name_of_a_tool_elsewhere_is_no_tool(policy: Policy, body: Any) -> None:
    assert read(body, policy).paid_tools == set()
