"""The table of surfaces and endings: the ledger's word for each cell, or the reason why a cell cannot exist."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from tests.gateway import MEDIA

MODEL = "gemini-3.8-flash"
PROMPT = "Tell me something long. " * 20
DEADLINE_S = 1.5
# Text has come by then: an interaction's stream begins with events of its state and a thought.
AFTER_CHUNKS = 9

_BODY = {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]}
_CHAT = {"model": MODEL, "messages": [{"role": "user", "content": PROMPT}]}
_INTERACTION = {"model": MODEL, "input": PROMPT}
_EMBEDDING_MODEL = "gemini-embedding-2"


@dataclass(frozen=True, slots=True)
class Surface:
    """A way to ask a model: the emulator's operation, the ledger's, and the request."""

    upstream: str
    operation: str
    path: str
    request: Mapping[str, Any] = field(default_factory=dict)
    is_stream: bool = False
    generates: bool = True
    is_live: bool = False


_OPENAI = ("openai.chat", "openai.chat.completions", "/v1beta/openai/chat/completions")
_INTERACTIONS = ("interactions.create", "native.interactions.create", "/v1beta/interactions")
_STREAM = ("streamGenerateContent", "native.streamGenerateContent")
_PICTURE = ("shapes.png", (MEDIA / "shapes.png").read_bytes())

SURFACES: Mapping[str, Surface] = {
    "REST": Surface("generateContent", "generate", "/api/v1/generate", {"files": [("prompt", (None, PROMPT))]}),
    "REST stream": Surface(
        "streamGenerateContent",
        "generate",
        "/api/v1/generate",
        {"files": [("stream", (None, "true")), ("prompt", (None, PROMPT))]},
        is_stream=True,
    ),
    "REST chat": Surface(
        "generateContent",
        "chat",
        "/api/v1/chat",
        {"json": {"messages": [{"role": "user", "content": [{"text": PROMPT}]}]}},
    ),
    "task": Surface(
        "generateContent",
        "captionImage",
        "/api/v1/images/captions",
        {"files": [("model", (None, MODEL)), ("file", _PICTURE)]},
    ),
    "native": Surface(
        "generateContent", "native.generateContent", f"/v1beta/models/{MODEL}:generateContent", {"json": _BODY}
    ),
    "native events": Surface(
        *_STREAM, f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse", {"json": _BODY}, is_stream=True
    ),
    "native array": Surface(*_STREAM, f"/v1beta/models/{MODEL}:streamGenerateContent", {"json": _BODY}, is_stream=True),
    "native embedding": Surface(
        "embedContent",
        "native.embedContent",
        f"/v1beta/models/{_EMBEDDING_MODEL}:embedContent",
        {"json": {"content": {"parts": [{"text": PROMPT}]}}},
        generates=False,
    ),
    "OpenAI": Surface(*_OPENAI, {"json": _CHAT}),
    "OpenAI stream": Surface(
        *_OPENAI, {"json": {**_CHAT, "stream": True, "stream_options": {"include_usage": True}}}, is_stream=True
    ),
    "OpenAI stream without usage": Surface(*_OPENAI, {"json": {**_CHAT, "stream": True}}, is_stream=True),
    "OpenAI embedding": Surface(
        "openai.embeddings",
        "openai.embeddings",
        "/v1beta/openai/embeddings",
        {"json": {"model": _EMBEDDING_MODEL, "input": PROMPT}},
        generates=False,
    ),
    "interaction": Surface(*_INTERACTIONS, {"json": _INTERACTION}),
    "interaction stream": Surface(*_INTERACTIONS, {"json": {**_INTERACTION, "stream": True}}, is_stream=True),
    "Live": Surface("live", "native.live", "", is_live=True),
}


@dataclass(frozen=True, slots=True)
class Ending:
    """A way in which a call can end: the emulator's fault, and the ledger's word (None for a call without a row).

    `is_free` says that the call costs nothing. `leaves_after` is the number of lines after which the client leaves, 0
    for a client that leaves before the answer.
    """

    word: str | None
    fault: Mapping[str, Any] | None = None
    is_free: bool = False
    leaves_after: int | None = None


ENDINGS: Mapping[str, Ending] = {
    "whole": Ending("ok"),
    "truncated": Ending("truncated", {"kind": "finish", "reason": "MAX_TOKENS"}),
    "blocked prompt": Ending("blocked", {"kind": "block", "reason": "SAFETY"}),
    "refused by admission": Ending("refused", is_free=True),
    "upstream 400": Ending("rejected", {"kind": "status", "code": 400}, is_free=True),
    "upstream 429": Ending("rejected", {"kind": "status", "code": 429}, is_free=True),
    "upstream 500": Ending("failed", {"kind": "status", "code": 500}, is_free=True),
    "upstream 503": Ending("failed", {"kind": "status", "code": 503}, is_free=True),
    "cut before the first byte": Ending("failed", {"kind": "cut", "after_bytes": 0}),
    "cut after the first byte": Ending("cut", {"kind": "cut", "after_chunks": AFTER_CHUNKS}),
    "error in the stream": Ending("failed", {"kind": "stream_error", "code": 503, "after_chunks": AFTER_CHUNKS}),
    "client leaves before the answer": Ending("client-gone", {"kind": "slow", "delay_s": 5}, leaves_after=0),
    "client leaves in the answer": Ending("client-gone", {"kind": "drip", "delay_s": 0.3}, leaves_after=4),
    "deadline before the answer": Ending("deadline", {"kind": "slow", "delay_s": DEADLINE_S + 1}),
    "deadline in the answer": Ending("deadline", {"kind": "drip", "delay_s": DEADLINE_S + 1}),
    "SIGTERM": Ending("shutdown", {"kind": "slow", "delay_s": 20}),
    "SIGKILL": Ending(None, {"kind": "slow", "delay_s": 20}),
}
_IN_ANSWERS = {
    "cut after the first byte",
    "error in the stream",
    "client leaves in the answer",
    "deadline in the answer",
}
_OF_LIVE = {"whole", "refused by admission", "client leaves in the answer", "SIGTERM", "SIGKILL"}


def absence(surface: str, ending: str) -> str | None:
    """Return the reason why a cell cannot exist, None for a cell that is tested."""
    chosen = SURFACES[surface]
    if chosen.is_live:
        return None if ending in _OF_LIVE else "a session has closes in place of statuses and finish reasons"
    if ending in _IN_ANSWERS and not chosen.is_stream:
        return "an answer that is not a stream reaches the client whole or not at all"
    if ending in {"truncated", "blocked prompt"} and not chosen.generates:
        return "an embedding has no finish reason"
    if ending == "blocked prompt" and "OpenAI" in surface:
        return "OpenAI's answers have no blocked prompts"
    return None


def word_of(surface: str, ending: str) -> str | None:
    """Return the ledger's word for a cell."""
    if ending == "blocked prompt" and "interaction" in surface:
        # An interaction whose prompt is blocked has the status "failed".
        return "failed"
    if surface == "Live" and ending == "client leaves in the answer":
        # Every session ends by a close; one that the client has closed in order is no failure.
        return "ok"
    return ENDINGS[ending].word


CELLS = [cell for cell in product(SURFACES, ENDINGS) if absence(*cell) is None]
