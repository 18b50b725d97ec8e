"""Calls without a price are refused to clients with a limit in money, on every surface, and to no others."""

from typing import Any

import pytest

from app.clients.identity import Limits
from tests.closed_gateway import Closed

MODEL = "gemini-3.8-flash"
HELLO: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
NATIVE = f"/v1beta/models/{MODEL}:generateContent"
CHAT = "/v1beta/openai/chat/completions"
MESSAGES = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        (NATIVE, HELLO | {"tools": [{"googleSearch": {}}]}, "googleSearch"),
        (NATIVE, HELLO | {"tools": [{"google_maps": {}}]}, "google_maps"),
        (NATIVE, HELLO | {"tools": [{"urlContext": {}}]}, "urlContext"),
        (NATIVE, HELLO | {"serviceTier": "golden"}, "golden"),
        ("/v1beta/models/gemini-9:generateContent", HELLO, "gemini-9"),
        (CHAT, MESSAGES | {"tools": [{"type": "google_search"}]}, "google_search"),
        (CHAT, MESSAGES | {"service_tier": "golden"}, "golden"),
        (
            "/v1beta/interactions",
            {"model": MODEL, "input": "Hello", "store": False, "tools": [{"type": "google_search"}]},
            "google_search",
        ),
    ],
)
async def test_a_call_without_a_price_is_refused_if_a_limit_is_in_money(
    closed: Closed, path: str, body: dict[str, Any], named: str
) -> None:
    key = await closed.key("paying", total_limits=Limits(cost_per_day=1))

    answer = await closed.call("POST", path, key, json=body)

    assert answer.status_code == 400
    assert named in answer.text
    assert "no price" in answer.text
    assert "operator" in answer.text


@pytest.mark.parametrize(
    "more", [{"serviceTier": "priority"}, {"serviceTier": "flex"}, {"tools": [{"codeExecution": {}}]}]
)
async def test_priced_tiers_and_tools_are_open_to_clients_with_a_limit_in_money(
    closed: Closed, more: dict[str, Any]
) -> None:
    key = await closed.key("paying", limits=Limits(cost_per_day=1))

    assert (await closed.call("POST", NATIVE, key, json=HELLO | more)).status_code == 200


async def test_a_client_without_a_limit_in_money_may_search(closed: Closed) -> None:
    key = await closed.key("counted", limits=Limits(tokens_per_day=1_000_000))

    assert (await closed.call("POST", NATIVE, key, json=HELLO | {"tools": [{"googleSearch": {}}]})).status_code == 200
