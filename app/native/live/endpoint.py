"""The endpoint of Live sessions: handshake, setup, relay, and the closes of both sides."""

import asyncio

from starlette.types import Receive, Scope, Send

from app.errors import GatewayError, SlowBodyError
from app.native.live.client import ClientClosedError, LiveClient, LiveMessage
from app.native.live.closing import Closing
from app.native.live.requests import LiveRequests
from app.native.live.session import LiveSession, SessionEnd
from app.native.live.turns import LiveTurns
from app.native.services import NativeCall
from app.request.context import context_of

SETUP_S = 10.0
MAX_MESSAGE_BYTES = 16 << 20
_PATH = "/ws/google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContent"


async def live(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve a Live session until it ends. Raises RateLimitedError before the handshake at the limit of sessions."""
    place = await call.services.metering.admission.enter_live(call.client)
    try:
        client = LiveClient(receive, send)
        await client.accept()
        try:
            await _serve(scope, call, client)
        except ClientClosedError:
            return
        except GatewayError as error:
            context_of(scope).problem = error.code
            await client.close(Closing.of_error(error))
    finally:
        place.release()


async def _serve(scope: Scope, call: NativeCall, client: LiveClient) -> None:
    requests = LiveRequests(call, context_of(scope))
    setup = await requests.setup(await _first_message(client))
    turns = LiveTurns(call, requests.model, requests.empty_turn)
    await turns.begin()
    try:
        end = await _relay(call, client, requests, turns, setup)
    except BaseException as error:
        turns.settle(error)
        raise
    turns.settle()
    if end.problem is not None:
        context_of(scope).problem = end.problem


async def _first_message(client: LiveClient) -> LiveMessage:
    try:
        async with asyncio.timeout(SETUP_S):
            return await client.message()
    except TimeoutError:
        raise SlowBodyError(f"No setup message within {SETUP_S:g} s; send the setup first.") from None


async def _relay(
    call: NativeCall, client: LiveClient, requests: LiveRequests, turns: LiveTurns, setup: LiveMessage
) -> SessionEnd:
    path = _PATH.format(version=call.route.version)
    async with call.services.upstream.websocket(path, max_message_bytes=MAX_MESSAGE_BYTES) as gemini:
        end = await LiveSession(call, client, gemini, requests, turns).run(setup)
        if end.client is not None:
            await client.close(end.client)
        if end.gemini is not None:
            await gemini.close(code=end.gemini.code, message=end.gemini.reason.encode())
    return end
