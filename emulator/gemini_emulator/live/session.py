"""One Live session: setup, then turns; a message of the client's interrupts a running answer.

    setup ──> setupComplete [sessionResumptionUpdate] ──> turn ──> serverContent ... generationComplete, turnComplete
                                                           └──> toolCall ──> toolResponse ──> serverContent ...

A turn is answered as by generateContent. With the AUDIO modality each piece of the text becomes a short tone, with the
text beside it as its transcription.
"""

import asyncio
import math
import secrets
from collections.abc import Awaitable, Callable

import pybase64

from gemini_emulator.catalogue import Model, find_model
from gemini_emulator.failures import ApiFailureError, invalid, unknown_model
from gemini_emulator.faults import FaultKind, Faults
from gemini_emulator.generation.answering import Answer
from gemini_emulator.generation.responder import Responder, Understood
from gemini_emulator.generation.responses import details
from gemini_emulator.live.messages import Frame, Json, mapping, objects
from gemini_emulator.proto.blobs import lift
from gemini_emulator.proto.fields import Fields
from gemini_emulator.proto.messages import GENERATE_CONTENT
from gemini_emulator.proto.parser import parse

_PIECE_CHARS = 60
_MAX_REMEMBERED = 1_000
_RATE = 24_000
_TONE_S = 0.05
_MEDIA = ("audio", "video", "mediachunks")
_LIVE_METHODS = {"bidiGenerateContent", "generateContent"}

Send = Callable[[Json], Awaitable[None]]


class Resumptions:
    """The conversations that a handle resumes."""

    def __init__(self) -> None:
        self._turns: dict[str, list[Json]] = {}

    def keep(self, turns: list[Json]) -> str:
        """Keep the turns so far; gives the handle."""
        handle = secrets.token_urlsafe(48)
        if len(self._turns) >= _MAX_REMEMBERED:
            del self._turns[next(iter(self._turns))]
        self._turns[handle] = list(turns)
        return handle

    def resume(self, handle: str) -> list[Json]:
        """Return the turns of a handle. Raises ApiFailureError for an unknown handle."""
        if handle not in self._turns:
            raise ApiFailureError(404, "BidiGenerateContent session not found")
        return list(self._turns[handle])

    def clear(self) -> None:
        """Forget all."""
        self._turns.clear()


class LiveSession:
    """A conversation; `send` sends a message, `faults` are those of this session."""

    def __init__(self, responder: Responder, resumptions: Resumptions, send: Send, version: str) -> None:
        self._responder = responder
        self._resumptions = resumptions
        self._send = send
        self._version = version
        self._model: Model | None = None
        self._setup: Json = {}
        self._turns: list[Json] = []
        self._heard: list[Json] = []
        self._is_resumable = False
        self._speaks = False
        self._answering: asyncio.Task[None] | None = None
        self.faults = Faults([])

    async def take(self, frame: Frame) -> None:
        """Handle a message of the client's. Raises ApiFailureError for a message that ends the session."""
        if self._model is None:
            if frame.kind != "setup":
                raise invalid("setup must be the first message.")
            await self._begin(frame)
            return
        match frame.kind:
            case "setup":
                raise invalid("setup must be the first message, and the only one.")
            case "clientContent":
                await self._interrupt()
                self._turns += objects(frame.fields.get("turns"))
                if frame.fields.get("turncomplete") is not False:
                    self._answer()
            case "realtimeInput":
                await self._hear(frame)
            case _:
                responses = objects(frame.fields.get("functionresponses"))
                self._turns.append({"role": "user", "parts": [{"functionResponse": each} for each in responses]})
                self._answer()

    async def _begin(self, frame: Frame) -> None:
        fields = frame.fields
        self._model = _live_model(str(fields.get("model", "")), self._version)
        config = mapping(fields.get("generationconfig"))
        self._speaks = "AUDIO" in [str(each).upper() for each in _listed(config.get("responsemodalities"))]
        kept = {"temperature", "topp", "topk", "maxoutputtokens", "seed"}
        given = fields.get("generationconfig")
        options = (
            {name: each for name, each in given.items() if _folded(name) in kept} if isinstance(given, dict) else {}
        )
        self._setup = {"generationConfig": options}
        for theirs, ours in (("systeminstruction", "systemInstruction"), ("tools", "tools")):
            if fields.get(theirs):
                self._setup[ours] = fields[theirs]
        resumption = fields.get("sessionresumption")
        if isinstance(resumption, dict):
            self._is_resumable = True
            handle = mapping(resumption).get("handle")
            if handle:
                self._turns = self._resumptions.resume(str(handle))
        await self._send({"setupComplete": {}})
        await self._tell_handle()

    async def _tell_handle(self) -> None:
        if self._is_resumable:
            handle = self._resumptions.keep(self._turns)
            await self._send({"sessionResumptionUpdate": {"newHandle": handle, "resumable": True}})

    async def _hear(self, frame: Frame) -> None:
        text = frame.fields.get("text")
        if isinstance(text, str):
            await self._interrupt()
            self._turns.append({"role": "user", "parts": [{"text": text}]})
            self._answer()
            return
        for name in _MEDIA:
            self._heard += [{"inlineData": each} for each in objects(frame.fields.get(name))]
        if self._heard and ("audiostreamend" in frame.fields or "activityend" in frame.fields):
            await self._interrupt()
            self._turns.append({"role": "user", "parts": self._heard})
            self._heard = []
            self._answer()

    def _answer(self) -> None:
        self._answering = asyncio.create_task(self._speak())

    async def _interrupt(self) -> None:
        task, self._answering = self._answering, None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait((task,))
            await self._send({"serverContent": {"interrupted": True}})
            await self._send({"serverContent": {"turnComplete": True}})

    @property
    def answering(self) -> "asyncio.Task[None] | None":
        """The answer that is being made, or was made last."""
        return self._answering

    def stop(self) -> None:
        """Stop answering."""
        if self._answering is not None:
            self._answering.cancel()

    async def _speak(self) -> None:
        if self._model is None or not self._turns:
            raise invalid("client_content.turns: must not be empty.")
        request: Json = {**self._setup, "contents": [dict(turn) for turn in self._turns]}
        lift(request)
        understood = await self._responder.understand(Fields(parse(GENERATE_CONTENT, request)), self._model)
        answer = await self._responder.answer(understood, self.faults)
        if answer.call is not None:
            call: Json = {"id": answer.call.call_id, "name": answer.call.name, "args": dict(answer.call.args)}
            self._turns.append({"role": "model", "parts": [{"functionCall": call}]})
            await self._send({"toolCall": {"functionCalls": [call]}, "usageMetadata": _usage(understood, answer)})
            return
        await self._say(answer.text)
        self._turns.append({"role": "model", "parts": [{"text": answer.text}]})
        await self._send({"serverContent": {"generationComplete": True}})
        usage = _usage(understood, answer, modality="AUDIO" if self._speaks else "TEXT")
        await self._send({"serverContent": {"turnComplete": True}, "usageMetadata": usage})
        await self._tell_handle()

    async def _say(self, text: str) -> None:
        drip = self.faults.get(FaultKind.DRIP)
        for start in range(0, max(1, len(text)), _PIECE_CHARS):
            if drip is not None and start:
                await asyncio.sleep(drip.delay_s)
            piece = text[start : start + _PIECE_CHARS]
            if self._speaks:
                tone: Json = {"inlineData": {"mimeType": f"audio/pcm;rate={_RATE}", "data": _TONE}}
                await self._send({"serverContent": {"modelTurn": {"parts": [tone]}}})
                await self._send({"serverContent": {"outputTranscription": {"text": piece}}})
            else:
                await self._send({"serverContent": {"modelTurn": {"parts": [{"text": piece}]}}})


def _live_model(name: str, version: str) -> Model:
    """Return a Live model; models that answer text serve too, so that a test needs one model only."""
    model = find_model(name, version, None)
    if not _LIVE_METHODS & set(model.methods):
        raise unknown_model(model.name, version, "bidiGenerateContent")
    return model


def _tone() -> str:
    samples = (round(8_000 * math.sin(2 * math.pi * 440 * at / _RATE)) for at in range(int(_RATE * _TONE_S)))
    return pybase64.b64encode(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)).decode()


_TONE = _tone()


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _usage(understood: Understood, answer: Answer, *, modality: str = "TEXT") -> Json:
    tokens = understood.identity.prompt_tokens
    prompt, said = sum(tokens.values()), answer.text_tokens
    return {
        "promptTokenCount": prompt,
        "responseTokenCount": said,
        "totalTokenCount": prompt + said,
        "promptTokensDetails": details(tokens),
        "responseTokensDetails": details({modality: said}),
    }
