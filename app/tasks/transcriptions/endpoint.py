"""`POST /audio/transcriptions` and `POST /audio/subtitles`, for sound or the sound of a video."""

import asyncio
from typing import TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from app.api.access import needs
from app.api.forms import FormSpec
from app.api.openapi import answers, form_body, text_answer
from app.clients.identity import Scope
from app.media.types import MediaKind
from app.tasks.forms import PassageForm
from app.tasks.running import Run
from app.tasks.task import Question
from app.tasks.task_call import Listener, TaskCall, completeness, json_answer, open_task
from app.tasks.task_form import TaskSpec
from app.tasks.transcriptions import question as transcription_question
from app.tasks.transcriptions import reading as transcription
from app.tasks.transcriptions import subtitles
from app.tasks.transcriptions.answer import Transcription, TranscriptSegment
from app.tasks.transcriptions.form import SubtitlesForm, TranscriptionForm

router = APIRouter(prefix="/api/v1/audio")

F = TypeVar("F", bound=BaseModel)
SOUND = frozenset({MediaKind.AUDIO, MediaKind.VIDEO})


def _question(form: TranscriptionForm) -> Question:
    return transcription_question.question(
        language=form.language,
        translate_to=form.translate_to,
        start=form.start,
        end=form.end,
        prompt=form.prompt,
        with_words=False,
    )


TRANSCRIPTION = TaskSpec(FormSpec(TranscriptionForm), SOUND, _question)
SUBTITLES = TaskSpec(FormSpec(SubtitlesForm), SOUND, _question)


def transcript_of(task: TaskCall[F]) -> transcription.Transcript:
    """Return an empty transcript with the limits of a task whose media are prepared."""
    form = task.form
    start, end = (form.start, form.end) if isinstance(form, PassageForm) else (None, None)
    return transcription.Transcript(duration=task.media.facts().duration, start=start, end=end)


async def transcribe(
    task: TaskCall[F], listener: Listener | None = None
) -> tuple[Run, transcription.TranscriptReading]:
    """Return a task's transcription; a listener receives arriving text. Raises the task's errors."""
    await task.prepare_passage()
    accumulator = transcript_of(task)
    run = await task.long(task.question, accumulator, listener)
    return run, await asyncio.to_thread(accumulator.result)


@router.post(
    "/transcriptions",
    operation_id="transcribeAudio",
    summary="Transcribe speech",
    response_model=None,
    responses=answers(Transcription),
    openapi_extra=form_body(TranscriptionForm),
)
@needs(Scope.TASKS, asks_model=True)
async def transcribe_audio(request: Request) -> Response:
    """Return the speech, with speakers and times."""
    async with open_task(request, TRANSCRIPTION) as task:
        run, found = await transcribe(task)
        return json_answer(
            Transcription(
                **task.common(run, found.warnings),
                file=task.files()[0],
                language=found.language,
                duration=task.media.facts().duration,
                text=found.text,
                segments=[
                    TranscriptSegment(index=one.index, start=one.start, end=one.end, speaker=one.speaker, text=one.text)
                    for one in found.segments
                ],
            )
        )


@router.post(
    "/subtitles",
    operation_id="makeSubtitles",
    summary="Make subtitles",
    response_model=None,
    response_class=PlainTextResponse,
    responses=text_answer("The subtitles, in the format that was asked for."),
    openapi_extra=form_body(SubtitlesForm),
)
@needs(Scope.TASKS, asks_model=True)
async def make_subtitles(request: Request) -> Response:
    """Return the speech as SRT, WebVTT or plain text."""
    writers = {"srt": subtitles.srt, "vtt": subtitles.vtt, "text": subtitles.plain_text}
    async with open_task(request, SUBTITLES) as task:
        run, found = await transcribe(task)
        text = await asyncio.to_thread(writers[task.form.format or "srt"], found.segments)
        return Response(text, headers=completeness(run), media_type="text/plain; charset=utf-8")
