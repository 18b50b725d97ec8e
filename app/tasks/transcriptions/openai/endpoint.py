"""`/{version}/openai/audio/transcriptions` and `translations`: OpenAI's operations, answered by Gemini.

They also exist below `/openai/v1`. They run the transcription task and are not in the gateway's OpenAPI document, since
OpenAI documents them.
"""

import asyncio
from typing import Generic, TypeVar

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.api.reports import summed_usage
from app.clients.identity import Scope as Permission
from app.errors import ClientGoneError, GatewayError
from app.request.operation import Access
from app.tasks.running import Run
from app.tasks.task_call import TaskCall, completeness, open_task
from app.tasks.task_form import TaskSpec
from app.tasks.transcriptions.endpoint import transcribe, transcript_of
from app.tasks.transcriptions.openai import shapes
from app.tasks.transcriptions.openai.form import (
    TRANSCRIPTION,
    TRANSLATION,
    OpenAiTranscriptionForm,
    SpeechOptions,
    TranslationForm,
    speech_options,
)
from app.tasks.transcriptions.openai.stream import TranscriptEvents, TranscriptListener
from app.tasks.transcriptions.reading import TranscriptReading

VERSIONS = ("v1", "v1beta", "v1alpha")
F = TypeVar("F", OpenAiTranscriptionForm, TranslationForm)
JSON_SHAPES = {"json": shapes.as_json, "verbose_json": shapes.verbose, "diarized_json": shapes.diarized}

router = APIRouter()


class Speech(Generic[F]):
    """ASGI: one operation."""

    access = Access(Permission.TASKS, asks_model=True)

    def __init__(self, spec: TaskSpec[F], *, is_translation: bool) -> None:
        self._spec: TaskSpec[F] = spec
        self._is_translation = is_translation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the form, ask, and answer whole or as a stream. Raises only before the first byte is sent."""
        events = TranscriptEvents(scope, send)
        try:
            async with open_task(Request(scope, receive), self._spec) as task:
                options = speech_options(task.form)
                if options.is_streamed:
                    await self._stream(task, options, events)
                else:
                    response = await self._whole(task, options)
                    await response(scope, receive, send)
        except ClientGoneError:
            # The rest of a begun stream has no reader. Before the stream begins, the log must record the disconnect.
            if not events.is_begun:
                raise
        except GatewayError as error:
            if not events.is_begun:
                raise
            await events.fail(error)

    async def _whole(self, task: TaskCall[F], options: SpeechOptions) -> Response:
        run, found = await transcribe(task)
        spoken = self._spoken(task, options, run, found)
        response_format = options.response_format
        headers = completeness(run)
        if response_format in JSON_SHAPES:
            told = await asyncio.to_thread(JSON_SHAPES[response_format], spoken)
            return Response(orjson.dumps(told), headers=headers, media_type="application/json")
        text = await asyncio.to_thread(shapes.as_text, spoken, response_format)
        return Response(text, headers=headers, media_type="text/plain; charset=utf-8")

    async def _stream(self, task: TaskCall[F], options: SpeechOptions, events: TranscriptEvents) -> None:
        known = options.known_speakers if options.response_format == "diarized_json" else None
        listener = TranscriptListener(events, lambda: transcript_of(task), known_speakers=known)
        run, found = await transcribe(task, listener)
        await listener.finish(found)
        await events.write(shapes.text_done(self._spoken(task, options, run, found), is_complete=run.is_complete))
        await events.end()

    def _spoken(self, task: TaskCall[F], options: SpeechOptions, run: Run, found: TranscriptReading) -> shapes.Spoken:
        return shapes.Spoken(
            found=found,
            usage=summed_usage(run.usages, task.services.models, task.model),
            duration=task.media.facts().duration,
            is_translation=self._is_translation,
            temperature=options.temperature,
            known_speakers=options.known_speakers,
            granularities=options.granularities,
        )


for base in (*(f"/{version}/openai" for version in VERSIONS), "/openai/v1"):
    for name, speech in (
        ("transcriptions", Speech(TRANSCRIPTION, is_translation=False)),
        ("translations", Speech(TRANSLATION, is_translation=True)),
    ):
        path = f"{base}/audio/{name}"
        router.routes.append(Route(path, speech, methods=["POST"], name=f"openai.{name}", include_in_schema=False))
