"""The responses of a call: JSON, bare text, or server-sent events, as the client asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.accept import named
from app.api.answer_call import AnswerCall
from app.api.schemas import Problem, StreamEvent
from app.edge.hangup import until_hangup
from app.errors import ClientGoneError, GatewayError, problem_of
from app.request.context import context_of

# Common proxies close connections that are silent for 30 to 60 s.
KEEP_ALIVE_S = 15.0
# `x-accel-buffering` stops nginx from collecting the stream.
STREAM_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


def wants_stream(request: Request, stream: bool | None) -> bool:
    """Whether to stream: as `stream` says; without it, if Accept names event-stream and no wider range."""
    if stream is not None:
        return stream
    ranges = named(request)
    return "text/event-stream" in ranges and not ranges & {"application/json", "*/*"}


def wants_text(request: Request) -> bool:
    """Whether the client wants the bare text, for the shell."""
    ranges = named(request)
    return "text/plain" in ranges and "application/json" not in ranges


async def whole(request: Request, call: AnswerCall) -> Response:
    """Make the call and return its whole answer."""
    answer = await call.answer()
    if wants_text(request):
        return Response(answer.text, media_type="text/plain; charset=utf-8")
    return Response(answer.json_bytes(), media_type="application/json")


class EventStream(Response):
    """Sends a call's events as they arrive; owns the resources `held` by the call until the stream ends."""

    def __init__(self, call: AnswerCall, held: AbstractAsyncContextManager[object]) -> None:
        super().__init__(media_type="text/event-stream", headers=STREAM_HEADERS)
        # Starlette sets the length of an empty body.
        del self.headers["content-length"]
        self._call = call
        self._held = held
        # Two tasks write frames: the events and the keep-alive. A frame must not be split.
        self._lock = asyncio.Lock()
        self._sent_at = 0.0
        self._text_chars = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream; the call is cancelled if the client disconnects."""
        async with self._held, until_hangup(scope):
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            keep_alive = asyncio.create_task(self._keep_alive(send))
            try:
                async for event in self._events(scope):
                    await self._send(send, _frame(event))
            finally:
                keep_alive.cancel()
                await asyncio.wait((keep_alive,))
            await send({"type": "http.response.body", "body": b""})

    async def _events(self, scope: Scope) -> AsyncIterator[StreamEvent]:
        try:
            async for event in self._call.events():
                if event.type == "delta" and not event.thought:
                    self._text_chars += len(event.text or "")
                yield event
        # Nobody is left to read an error event.
        except ClientGoneError:
            raise
        except GatewayError as error:
            yield StreamEvent(type="error", problem=problem(scope, error), text_so_far_chars=self._text_chars)

    async def _send(self, send: Send, frame: bytes) -> None:
        async with self._lock:
            self._sent_at = asyncio.get_running_loop().time()
            await send({"type": "http.response.body", "body": frame, "more_body": True})

    async def _keep_alive(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        self._sent_at = loop.time()
        while True:
            await asyncio.sleep(max(0.0, self._sent_at + KEEP_ALIVE_S - loop.time()))
            # An event may have been sent during the sleep.
            if loop.time() - self._sent_at >= KEEP_ALIVE_S:
                await self._send(send, b": keep-alive\n\n")


def problem(scope: Scope, error: GatewayError) -> Problem:
    """Return an error as a problem inside another answer."""
    context = context_of(scope)
    context.problem = error.code
    return Problem.model_validate(
        problem_of(
            error,
            request_id=context.request_id,
            base_url=context.base_url,
            instance=scope["path"],
        )
    )


def _frame(event: StreamEvent) -> bytes:
    # A whole answer keeps its null fields, as outside a stream; the other events leave null fields out.
    exclude_none = event.response is None and event.problem is None and event.files is None
    text = event.model_dump_json(exclude_none=exclude_none, exclude_unset=True, warnings=False)
    return f"event: {event.type}\ndata: {text}\n\n".encode()
