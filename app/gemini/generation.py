"""The gateway's own model calls: generateContent, streamGenerateContent, countTokens."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import quote

import orjson
from aiohttp import ClientResponse
from yarl import URL

from app.errors import UpstreamFailedError
from app.gemini.answer import AnswerReader, by_modality
from app.gemini.deadline import Deadline
from app.gemini.masking import is_error_event
from app.gemini.refusals import error_of, read_refusal
from app.gemini.request import GenerateRequest
from app.gemini.upstream import API_VERSION, Body, Upstream
from app.gemini.whole_answer import read_whole

MAX_ANSWER_BYTES = 64 << 20
MAX_ERROR_BYTES = 1 << 19


@dataclass(frozen=True, slots=True)
class CountedTokens:
    """The tokens of a request, counted without running a model; modalities have lower-case names."""

    total_tokens: int
    by_modality: dict[str, int]


@lru_cache(maxsize=256)
def _url(base: URL, model: str, action: str) -> URL:
    return URL(f"{base}/{API_VERSION}/models/{quote(model, safe='')}:{action}", encoded=True)


class GenerationClient:
    """Model calls for one upstream."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def _call(
        self, model: str, action: str, request: GenerateRequest, deadline: Deadline
    ) -> AbstractAsyncContextManager[ClientResponse]:
        url = _url(self._upstream.base, model, action)
        headers = {"Content-Type": "application/json", "Content-Length": str(request.size_bytes)}
        whole = request.whole()
        body: Body = request.pieces() if whole is None else whole
        return self._upstream.request("POST", url, headers=headers, body=body, deadline=deadline)

    def _deadline(self, told_s: float | None = None, *, is_stream: bool = False) -> Deadline:
        # The caller's own deadline, if shorter, ends the call; Gemini is told of it.
        return Deadline(replace(self._upstream.patience(is_stream=is_stream), told_s=told_s, is_total=True))

    async def _check(self, answer: ClientResponse, model: str) -> None:
        if answer.status != 200:
            body = await self._upstream.masking.error(await read_whole(answer, MAX_ERROR_BYTES))
            raise error_of(read_refusal(answer.status, body), model=model)

    async def _events(self, answer: ClientResponse, deadline: Deadline) -> AsyncIterator[bytes]:
        async for data in _events(deadline.pieces(answer, is_stream=True)):
            yield await self._without_private(data)

    async def _without_private(self, data: bytes) -> bytes:
        return await self._upstream.masking.error(data) if is_error_event(data) else data

    async def generate(
        self, model: str, request: GenerateRequest, reader: AnswerReader, *, timeout_s: float | None = None
    ) -> None:
        """Ask the model and read its whole answer into `reader`. Gemini is told that the client waits `timeout_s` s."""
        async with self._call(model, "generateContent", request, self._deadline(timeout_s)) as answer:
            await self._check(answer, model)
            reader.feed(await self._without_private(await read_whole(answer, MAX_ANSWER_BYTES)))

    @asynccontextmanager
    async def stream(self, model: str, request: GenerateRequest) -> AsyncIterator[AsyncIterator[bytes]]:
        """Run the model and yield the responses of its stream, as JSON bytes, when they arrive."""
        deadline = self._deadline(is_stream=True)
        async with self._call(model, "streamGenerateContent?alt=sse", request, deadline) as answer:
            await self._check(answer, model)
            yield self._events(answer, deadline)

    async def count_tokens(self, model: str, request: GenerateRequest) -> CountedTokens:
        """Return a request's token count. The request must be wrapped by `count_request`."""
        async with self._call(model, "countTokens", request, self._deadline()) as answer:
            await self._check(answer, model)
            body = await read_whole(answer, MAX_ERROR_BYTES)
        try:
            counted = orjson.loads(body)
            return CountedTokens(int(counted["totalTokens"]), by_modality(counted.get("promptTokensDetails")))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise UpstreamFailedError("Gemini's token count cannot be read.") from error


async def _events(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    # Frames end with a blank line, and Gemini sends the data of a frame as one line.
    pending = bytearray()
    async for piece in pieces:
        searched = len(pending)
        pending += piece
        if len(pending) > MAX_ANSWER_BYTES:
            raise UpstreamFailedError(f"Gemini's stream has a frame larger than {MAX_ANSWER_BYTES} bytes.")
        while (end := pending.find(b"\n", searched)) >= 0:
            line = bytes(pending[:end]).strip()
            del pending[: end + 1]
            searched = 0
            if line.startswith(b"data:"):
                yield line[5:].strip()
