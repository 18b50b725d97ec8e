"""One Live session: the relay between a client and Gemini, and everything that ends it.

    client ──message──> judged, scanned, references resolved ──> Gemini
    client <──message── as it came <── usage, end of turn, handle read <── Gemini

One message is on its way in each direction, so either side's slowness holds the other back. If one side closes, the
other is closed with the same code and reason, as far as the reason may be seen.
"""

import asyncio
from dataclasses import dataclass

import aiohttp

from app.errors import GatewayError, UpstreamFailedError
from app.gemini.masking import is_error_event
from app.native.live.client import ClientClosedError, LiveClient, LiveMessage
from app.native.live.closing import NORMAL, POLICY_VIOLATION, Closing
from app.native.live.messages import read_server_message
from app.native.live.requests import LiveRequests
from app.native.live.turns import LiveTurns
from app.native.resolving import handle_key
from app.native.services import NativeCall
from app.store.resources import Resource

JUDGED_S = 10.0
"""Seconds between two looks at the credential of a session that sends nothing but realtime input."""
HANDLE_LIFETIME_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """The closes to send to the two sides; None for a side that has closed already. `problem` is an error's code."""

    client: Closing | None
    gemini: Closing | None
    problem: str | None = None


class LiveSession:
    """A session whose setup has passed, until either side, the credential, the budget or the time ends it."""

    def __init__(
        self,
        call: NativeCall,
        client: LiveClient,
        gemini: aiohttp.ClientWebSocketResponse,
        requests: LiveRequests,
        turns: LiveTurns,
    ) -> None:
        self._call = call
        self._client = client
        self._gemini = gemini
        self._requests = requests
        self._turns = turns
        self._clock = asyncio.get_running_loop().time
        self._active_at = self._clock()

    async def run(self, setup: LiveMessage) -> SessionEnd:
        """Send the setup, and relay until the session ends. Raises aiohttp's errors for a broken connection."""
        await self._send_to_gemini(setup)
        tasks = [asyncio.create_task(each) for each in (self._upwards(), self._downwards(), self._watch())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return next(task for task in tasks if task.done()).result()
        except ClientClosedError as closed:
            return SessionEnd(None, closed.closing)
        except GatewayError as error:
            return SessionEnd(Closing.of_error(error), Closing(NORMAL), error.code)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _upwards(self) -> SessionEnd:
        while True:
            message = await self._client.message()
            self._active_at = self._clock()
            message, tokens = await self._requests.read(message)
            self._turns.note_input(tokens)
            await self._send_to_gemini(message)

    async def _send_to_gemini(self, message: LiveMessage) -> None:
        if message.is_text:
            await self._gemini.send_str(message.data.decode())
        else:
            await self._gemini.send_bytes(message.data)

    async def _downwards(self) -> SessionEnd:
        while True:
            received = await self._gemini.receive()
            self._active_at = self._clock()
            if received.type is aiohttp.WSMsgType.TEXT:
                await self._pass_down(LiveMessage(received.data.encode(), is_text=True))
            elif received.type is aiohttp.WSMsgType.BINARY:
                await self._pass_down(LiveMessage(received.data, is_text=False))
            elif received.type is aiohttp.WSMsgType.CLOSE:
                masking = self._call.services.upstream.masking
                return SessionEnd(Closing.of_gemini(received.data, received.extra, masking), None)
            else:
                raise UpstreamFailedError("The connection to Gemini broke.")

    async def _pass_down(self, message: LiveMessage) -> None:
        if is_error_event(message.data):
            message = LiveMessage(await self._call.services.upstream.masking.error(message.data), message.is_text)
        news = read_server_message(message.data)
        if news.handle is not None:
            # Recorded before the client gets the handle, so that even a quick client can resume by it.
            await self._record(news.handle)
        # Before the message is sent: its usage counts even if the client leaves meanwhile.
        self._turns.note_answer(news.usage, news.text_chars)
        await self._client.send(message)
        if news.is_turn_end:
            await self._turns.end()

    async def _record(self, handle: str) -> None:
        now = self._call.services.upstream.clock.now()
        kind, name = handle_key(handle)
        client_id = self._call.client.id
        expires_at = now + HANDLE_LIFETIME_S
        await self._call.services.resources.add(Resource(kind, name, client_id, created_at=now, expires_at=expires_at))

    async def _watch(self) -> SessionEnd:
        """End a session that is idle for too long, or whose credential has ended."""
        idle_s = self._call.services.settings.live_idle_timeout_s
        judged_at = self._clock()
        while True:
            now = self._clock()
            idle_left_s = self._active_at + idle_s - now
            if idle_left_s <= 0:
                reason = f"The session was idle for {idle_s:g} s."
                return SessionEnd(Closing(POLICY_VIOLATION, reason), Closing(NORMAL))
            if now >= judged_at + JUDGED_S:
                await self._requests.judge_quietly()
                judged_at = self._clock()
            await asyncio.sleep(min(idle_left_s, judged_at + JUDGED_S - self._clock()))
