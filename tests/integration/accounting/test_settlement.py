"""Budget, ledger and Gemini agree on every ending of every surface.

The emulator remembers the last usage that it told. For each surface and each way a call can end, the ledger's row and
the client's budget must have the same amounts: that usage if there was any, else the estimated input and the text that
came, and nothing for a refusal.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.clients.identity import Limits
from app.store.budget_records import NO_AMOUNTS
from app.store.database import Database, open_database
from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator
from tests.integration.accounting.books import Row, settled
from tests.integration.native.live import begun, closing, content, say, session, turn
from tests.stores import database_url
from tests.waiting import eventually

MODEL = "gemini-3.8-flash"
PROMPT = "Tell me something long. " * 20
BODY = {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]}
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": PROMPT}]}
INTERACTION = {"model": MODEL, "input": PROMPT}
DEADLINE_S = 1.5


@dataclass(frozen=True, slots=True)
class Surface:
    """A way to ask: the emulator's operation, the ledger's, and the request."""

    upstream: str
    operation: str
    path: str
    request: Mapping[str, Any]
    is_stream: bool = False


SURFACES = {
    "rest": Surface("generateContent", "generate", "/api/v1/generate", {"files": [("prompt", (None, PROMPT))]}),
    "rest stream": Surface(
        "streamGenerateContent",
        "generate",
        "/api/v1/generate",
        {"files": [("stream", (None, "true")), ("prompt", (None, PROMPT))]},
        is_stream=True,
    ),
    "rest chat": Surface(
        "generateContent",
        "chat",
        "/api/v1/chat",
        {"json": {"messages": [{"role": "user", "content": [{"text": PROMPT}]}]}},
    ),
    "native": Surface(
        "generateContent", "native.generateContent", f"/v1beta/models/{MODEL}:generateContent", {"json": BODY}
    ),
    "native stream": Surface(
        "streamGenerateContent",
        "native.streamGenerateContent",
        f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse",
        {"json": BODY},
        is_stream=True,
    ),
    "openai": Surface("openai.chat", "openai.chat.completions", "/v1beta/openai/chat/completions", {"json": CHAT}),
    "openai stream": Surface(
        "openai.chat",
        "openai.chat.completions",
        "/v1beta/openai/chat/completions",
        {"json": {**CHAT, "stream": True, "stream_options": {"include_usage": True}}},
        is_stream=True,
    ),
    "openai stream without usage": Surface(
        "openai.chat",
        "openai.chat.completions",
        "/v1beta/openai/chat/completions",
        {"json": {**CHAT, "stream": True}},
        is_stream=True,
    ),
    "interaction": Surface(
        "interactions.create", "native.interactions.create", "/v1beta/interactions", {"json": INTERACTION}
    ),
    "interaction stream": Surface(
        "interactions.create",
        "native.interactions.create",
        "/v1beta/interactions",
        {"json": {**INTERACTION, "stream": True}},
        is_stream=True,
    ),
}
STREAMS = [name for name, surface in SURFACES.items() if surface.is_stream]


@pytest.fixture
async def closed(emulator: Emulator, tmp_path: Path) -> AsyncIterator[Closed]:
    async with closed_gateway(
        emulator, tmp_path, ledger_flush_s=0.05, allow_deferred_costs=True, request_timeout_s=DEADLINE_S
    ) as closed:
        yield closed


@pytest.fixture
async def database(closed: Closed, tmp_path: Path) -> AsyncIterator[Database]:
    del closed
    async with open_database(database_url(tmp_path)) as database:
        yield database


@pytest.fixture
def books(closed: Closed, database: Database, emulator: Emulator) -> "Books":
    return Books(closed, database, emulator)


@dataclass(frozen=True, slots=True)
class Books:
    """A gateway, its database, and the emulator behind it."""

    closed: Closed
    database: Database
    emulator: Emulator

    async def key(self) -> tuple[str, str]:
        """Make a key with a budget in money; return its text, and its budget's subject."""
        made = await self.closed.keys.create("web", now=0.0, limits=Limits(cost_per_day=1.0))
        return made.text, f"client:{made.client.id}"

    async def row(self, subject: str, surface: Surface, outcome: str) -> Row:
        """Return the one row, which must agree with the budget, and with the usage that the emulator told."""
        [row], used = await settled(self.database, subject, calls=1)
        assert (row.operation, row.outcome) == (surface.operation, outcome)
        assert row.amounts == used
        told = self.told(surface.upstream)
        if told is not None:
            assert (row.input_tokens, row.output_tokens, row.thinking_tokens) == told
        return row

    def told(self, operation: str) -> tuple[int, int, int] | None:
        """Return the last usage that the emulator told: input, output, thoughts."""
        usages = [request["usage"] for request in self.emulator.requests(operation) if request["usage"]]
        if not usages:
            return None
        names = (
            ("promptTokenCount", "total_input_tokens", "prompt_tokens"),
            ("candidatesTokenCount", "responseTokenCount", "total_output_tokens", "completion_tokens"),
            ("thoughtsTokenCount", "total_thought_tokens"),
        )
        input_, output, thoughts = (
            next((int(usages[-1][name]) for name in each if name in usages[-1]), 0) for each in names
        )
        return input_, output, thoughts


async def ask(closed: Closed, key: str, surface: Surface, *, until: Callable[[str], bool] | None = None) -> None:
    """Ask, and read the answer to its end however it ends; leave once `until` holds for the text so far."""
    headers = {"authorization": f"Bearer {key}"}
    text = ""
    # A client of its own, so that the end of the gateway's block does not close its connection.
    async with httpx.AsyncClient(base_url=closed.gateway.url, trust_env=False, timeout=30) as client:
        with suppress(httpx.HTTPError):
            async with client.stream("POST", surface.path, headers=headers, **surface.request) as answer:
                async for piece in answer.aiter_text():
                    text += piece
                    if until is not None and until(text):
                        return


@pytest.mark.parametrize("name", SURFACES)
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (None, "ok"),
        ({"kind": "finish", "reason": "MAX_TOKENS"}, "truncated"),
        ({"kind": "status", "code": 400}, "rejected"),
        ({"kind": "status", "code": 429}, "rejected"),
        ({"kind": "status", "code": 500}, "failed"),
        ({"kind": "status", "code": 503}, "failed"),
    ],
    ids=lambda value: None if value is None else json.dumps(value),
)
async def test_whole_answers_and_refusals_are_booked_alike(
    books: Books, name: str, fault: dict[str, Any] | None, outcome: str
) -> None:
    surface = SURFACES[name]
    key, subject = await books.key()
    if fault is not None:
        books.emulator.fault(surface.upstream, **fault)

    await ask(books.closed, key, surface)

    row = await books.row(subject, surface, outcome)
    assert (row.amounts == NO_AMOUNTS) is (outcome in {"rejected", "failed"})
    assert row.model == MODEL


# OpenAI's surface has no blocked prompts, and an interaction whose prompt is blocked has failed.
@pytest.mark.parametrize("name", [name for name in SURFACES if "openai" not in name])
async def test_a_blocked_prompt_is_answered_and_booked_with_its_usage(books: Books, name: str) -> None:
    surface = SURFACES[name]
    key, subject = await books.key()
    books.emulator.fault(surface.upstream, "block", reason="SAFETY")

    await ask(books.closed, key, surface)

    row = await books.row(subject, surface, "failed" if "interaction" in name else "blocked")
    assert row.status == 200
    assert row.input_tokens > 0


# Text has come by then: an interaction's stream begins with events of its state and a thought.
AFTER_CHUNKS = 9


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"kind": "cut", "after_chunks": AFTER_CHUNKS}, "cut"),
        ({"kind": "stream_error", "code": 503, "after_chunks": AFTER_CHUNKS}, "failed"),
    ],
    ids=json.dumps,
)
async def test_streams_that_break_are_booked_by_their_last_usage_or_their_text(
    books: Books, name: str, fault: dict[str, Any], outcome: str
) -> None:
    surface = SURFACES[name]
    key, subject = await books.key()
    books.emulator.fault(surface.upstream, **fault)
    # So slowly that the text is read before the connection ends: a broken connection drops unread bytes.
    books.emulator.fault(surface.upstream, "drip", delay_s=0.03)

    await ask(books.closed, key, surface)

    row = await books.row(subject, surface, outcome)
    assert row.output_tokens > 0


@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_whose_client_leaves_is_booked_for_what_came(books: Books, name: str) -> None:
    surface = SURFACES[name]
    key, subject = await books.key()
    books.emulator.fault(surface.upstream, "drip", delay_s=0.2)

    await ask(books.closed, key, surface, until=lambda text: text.count("data:") > 3)

    [row], used = await settled(books.database, subject, calls=1)
    assert (row.outcome, row.amounts) == ("client-gone", used)
    assert row.input_tokens > 0
    told = books.told(surface.upstream)
    assert told is None or row.output_tokens <= told[1]


@pytest.mark.parametrize("name", SURFACES)
async def test_a_connection_that_ends_before_the_answer_costs_the_estimated_input(books: Books, name: str) -> None:
    surface = SURFACES[name]
    key, subject = await books.key()
    books.emulator.fault(surface.upstream, "cut", after_bytes=0)

    await ask(books.closed, key, surface)

    row = await books.row(subject, surface, "failed")
    assert row.input_tokens > 0
    assert row.output_tokens == 0


@pytest.mark.parametrize("name", ["rest", "rest stream", "rest chat"])
async def test_a_call_past_its_deadline_costs_the_estimated_input(books: Books, name: str) -> None:
    surface = SURFACES[name]
    key, subject = await books.key()
    books.emulator.fault(surface.upstream, "slow", delay_s=DEADLINE_S + 1)

    await ask(books.closed, key, surface)

    row = await books.row(subject, surface, "deadline")
    assert row.input_tokens > 0


@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_that_pauses_past_its_deadline_is_booked_by_the_last_usage(books: Books, name: str) -> None:
    surface = SURFACES[name]
    key, subject = await books.key()
    books.emulator.fault(surface.upstream, "drip", delay_s=DEADLINE_S + 1)

    await ask(books.closed, key, surface)

    [row], used = await settled(books.database, subject, calls=1)
    assert (row.outcome, row.amounts) == ("deadline", used)
    assert row.input_tokens > 0


async def test_reading_a_stream_without_usage_to_its_end_costs_its_text_and_not_the_reservation(books: Books) -> None:
    surface = SURFACES["openai stream without usage"]
    key, subject = await books.key()

    await ask(books.closed, key, surface)

    row = await books.row(subject, surface, "ok")
    assert 0 < row.output_tokens < 1_000


@pytest.mark.parametrize("path", ["/api/v1/images/captions", "/v1beta/openai/audio/transcriptions"])
async def test_tasks_are_booked_by_the_sum_of_their_calls(books: Books, path: str, media: Path) -> None:
    key, subject = await books.key()
    name = "shapes.png" if "images" in path else "speech.wav"
    files = [("model", (None, MODEL)), ("file", (name, (media / name).read_bytes()))]

    answer = await books.closed.call("POST", path, key, files=files)

    assert answer.status_code == 200, answer.text
    [row], used = await settled(books.database, subject, calls=1)
    told = books.told("generateContent") or books.told("streamGenerateContent")
    assert (row.outcome, row.amounts) == ("ok", used)
    assert told == (row.input_tokens, row.output_tokens, row.thinking_tokens)


@pytest.mark.parametrize("call", ["models/gemini-embedding-2:embedContent", "openai/embeddings"])
async def test_embeddings_without_a_price_are_booked_by_tokens(books: Books, call: str) -> None:
    made = await books.closed.keys.create("web", now=0.0, limits=Limits(tokens_per_day=20_000))
    body: Any = {"content": {"parts": [{"text": PROMPT}]}}
    if "openai" in call:
        body = {"model": "gemini-embedding-2", "input": PROMPT}

    answer = await books.closed.call("POST", f"/v1beta/{call}", made.text, json=body)

    assert answer.status_code == 200, answer.text
    [row], used = await settled(books.database, f"client:{made.client.id}", calls=1)
    assert (row.outcome, row.amounts.tokens) == ("ok", used.tokens)
    assert row.input_tokens > 0
    assert row.output_tokens == 0


@pytest.mark.parametrize("turns", [0, 2])
async def test_a_live_session_is_booked_by_the_sum_of_its_turns(books: Books, turns: int) -> None:
    key, subject = await books.key()

    async with session(books.closed, key) as socket:
        await begun(socket)
        for _ in range(turns):
            await say(socket, content({"text": "Hello"}))
            await turn(socket)
        await socket.close()
        await closing(socket)

    [row], used = await settled(books.database, subject, calls=1)
    assert (row.operation, row.amounts) == ("native.live", used)
    assert (row.amounts.tokens > 0) is (turns > 0)


Made = Callable[[Closed, str], Awaitable[str]]


async def made_batch(closed: Closed, key: str) -> str:
    body = {"batch": {"inputConfig": {"requests": {"requests": [{"request": BODY}, {"request": BODY}]}}}}
    answer = await closed.call("POST", f"/v1beta/models/{MODEL}:batchGenerateContent", key, json=body)
    return f"/v1beta/{answer.json()['name']}"


async def made_interaction(closed: Closed, key: str) -> str:
    answer = await closed.call("POST", "/v1beta/interactions", key, json={**INTERACTION, "background": True})
    return f"/v1beta/interactions/{answer.json()['id']}"


@pytest.mark.parametrize("made", [made_batch, made_interaction])
async def test_a_deferred_call_holds_its_estimate_and_is_booked_once_when_its_usage_is_seen(
    books: Books, made: Made
) -> None:
    key, subject = await books.key()

    path = await made(books.closed, key)
    [row], used = await settled(books.database, subject, calls=1, reserved=True)
    assert (row.outcome, row.amounts, used) == ("deferred", NO_AMOUNTS, NO_AMOUNTS)

    for _ in range(2):
        assert (await books.closed.call("GET", path, key)).status_code == 200
    [_, row], used = await settled(books.database, subject, calls=2)
    assert (row.outcome, row.amounts) == ("ok", used)
    assert row.output_tokens > 0


async def test_a_request_that_the_gateways_end_cuts_is_a_shutdown(emulator: Emulator, tmp_path: Path) -> None:
    async with closed_gateway(emulator, tmp_path, shutdown_grace_s=1) as closed:
        made = await closed.keys.create("web", now=0.0, limits=Limits(cost_per_day=1.0))
        emulator.fault("generateContent", "slow", delay_s=10)
        asking = asyncio.create_task(ask(closed, made.text, SURFACES["rest"]))
        await eventually(lambda: bool(emulator.requests("generateContent")))
    await asking

    async with open_database(database_url(tmp_path)) as database:
        [row], used = await settled(database, f"client:{made.client.id}", calls=1)
    assert (row.outcome, row.amounts) == ("shutdown", used)
    assert row.input_tokens > 0
