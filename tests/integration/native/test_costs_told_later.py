"""Calls whose cost arises later: the estimate is held, and the true usage is booked once it is known."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.clients.identity import Limits
from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator
from tests.integration.native.test_isolation import LINES, uploaded

MODEL = "gemini-3.8-flash"
PROMPT = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
BUDGET = 100_000


@pytest.fixture
async def closed(emulator: Emulator, tmp_path: Path) -> AsyncIterator[Closed]:
    async with closed_gateway(emulator, tmp_path, ledger_flush_s=0.05, allow_deferred_costs=True) as closed:
        yield closed


async def left(closed: Closed, key: str) -> int:
    """Make a small call, and return the rest of the day's tokens."""
    body = {**PROMPT, "generationConfig": {"maxOutputTokens": 1}}
    answer = await closed.call("POST", f"/v1beta/models/{MODEL}:generateContent", key, json=body)
    assert answer.status_code == 200, answer.text
    [limit] = [part for part in answer.headers["ratelimit"].split(", ") if part.startswith('"tokens-day"')]
    return int(limit.partition("r=")[2].partition(";")[0])


async def settled(closed: Closed, key: str, at_least: int) -> int:
    """Wait until so much is left again; each look is a small call of its own."""
    for _ in range(150):
        now = await left(closed, key)
        if now >= at_least:
            return now
        await asyncio.sleep(0.1)
    raise AssertionError("it was not settled")


async def test_a_batch_holds_its_estimate_until_its_results_are_seen(closed: Closed) -> None:
    key = await closed.key("web", limits=Limits(tokens_per_day=BUDGET))
    body = {"batch": {"inputConfig": {"requests": {"requests": [{"request": PROMPT}]}}}}

    made = await closed.call("POST", f"/v1beta/models/{MODEL}:batchGenerateContent", key, json=body)
    held = await left(closed, key)
    looks = [await closed.call("GET", f"/v1beta/{made.json()['name']}", key) for _ in range(3)]
    again = await settled(closed, key, BUDGET - 2_000)

    # RESERVED_OUTPUT_TOKENS is 8,192.
    assert held < BUDGET - 8_192
    assert {look.status_code for look in looks} == {200}
    assert again > held + 7_000


async def test_a_background_interaction_holds_its_estimate_until_its_end_is_seen(closed: Closed) -> None:
    key = await closed.key("web", limits=Limits(tokens_per_day=BUDGET))

    made = await closed.call(
        "POST", "/v1beta/interactions", key, json={"model": MODEL, "input": "Hello", "background": True}
    )
    held = await left(closed, key)
    seen = await closed.call("GET", f"/v1beta/interactions/{made.json()['id']}", key)
    again = await settled(closed, key, BUDGET - 2_000)

    assert held < BUDGET - 8_192
    assert seen.json()["status"] == "completed"
    assert again > held + 7_000


async def test_a_batch_whose_results_are_a_file_stays_booked_at_its_estimate(closed: Closed) -> None:
    key = await closed.key("web", limits=Limits(tokens_per_day=BUDGET))
    file = await uploaded(closed, key, LINES, mimeType="jsonl")
    body = {"batch": {"inputConfig": {"fileName": file["name"]}}}

    made = await closed.call("POST", f"/v1beta/models/{MODEL}:batchGenerateContent", key, json=body)
    await closed.call("GET", f"/v1beta/{made.json()['name']}", key)

    assert await left(closed, key) < BUDGET - 8_192


async def test_the_usage_of_an_interaction_is_in_the_ledger_whole_and_streamed(closed: Closed) -> None:
    key = await closed.key("web")
    told: list[Any] = []
    for stream in (False, True):
        answer = await closed.call(
            "POST", "/v1beta/interactions", key, json={"model": MODEL, "input": "Hello", "stream": stream}
        )
        if stream:
            frames = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")]
            told.append(json.loads(frames[-1])["interaction"]["usage"])
        else:
            told.append(answer.json()["usage"])

    rows: list[Any] = []
    async with asyncio.timeout(10):
        while not rows or rows[0]["calls"] < 2:
            await asyncio.sleep(0.05)
            rows = (await closed.call("GET", "/api/v1/usage?by=operation", key)).json()["data"]
    [row] = rows
    assert row["operation"] == "native.interactions.create"
    assert row["input_tokens"] == sum(usage["total_input_tokens"] for usage in told)
    assert row["output_tokens"] == sum(usage["total_output_tokens"] for usage in told)


async def test_a_caches_tokens_count_for_the_calls_that_use_it(closed: Closed, emulator: Emulator) -> None:
    key = await closed.key("web", limits=Limits(tokens_per_day=5_000))
    text = {"contents": [{"role": "user", "parts": [{"text": "word " * 3_000}]}]}
    cache = await closed.call(
        "POST", "/v1beta/cachedContents", key, json={"model": f"models/{MODEL}", "ttl": "300s", **text}
    )
    assert cache.status_code == 200

    body = {**PROMPT, "cachedContent": cache.json()["name"], "generationConfig": {"maxOutputTokens": 2_000}}
    answer = await closed.call("POST", f"/v1beta/models/{MODEL}:generateContent", key, json=body)

    assert answer.status_code == 429
    assert emulator.requests("generateContent") == []
