"""`POST /videos/descriptions`."""

import asyncio

from fastapi import APIRouter, Request, Response

from app.api.access import needs
from app.api.forms import FormSpec
from app.api.openapi import answers, form_body
from app.clients.identity import Scope
from app.gemini.request import MediaOptions
from app.media.types import MediaKind
from app.tasks.descriptions import question as scenes
from app.tasks.descriptions.answer import VideoDescription, VideoScene
from app.tasks.descriptions.form import VideoForm
from app.tasks.task import Question
from app.tasks.task_call import json_answer, open_task
from app.tasks.task_form import TaskSpec

router = APIRouter(prefix="/api/v1/videos")


def _question(form: VideoForm) -> Question:
    return scenes.question(start=form.start, end=form.end, prompt=form.prompt, language=form.language)


def _media_options(form: VideoForm) -> MediaOptions:
    # Gemini itself looks only at the passage, at this frame rate.
    return MediaOptions(start=form.start, end=form.end, fps=form.fps)


VIDEO = TaskSpec(FormSpec(VideoForm), frozenset({MediaKind.VIDEO}), _question, media_options=_media_options)


@router.post(
    "/descriptions",
    operation_id="describeVideo",
    summary="Describe a video",
    response_model=None,
    responses=answers(VideoDescription),
    openapi_extra=form_body(VideoForm),
)
@needs(Scope.TASKS, asks_model=True)
async def describe_video(request: Request) -> Response:
    """Return a video's scenes, each with its start, end and description."""
    async with open_task(request, VIDEO) as task:
        await task.prepare_passage()
        duration = task.media.facts().duration
        accumulator = scenes.Scenes(duration=duration, start=task.form.start, end=task.form.end)
        run = await task.long(task.question, accumulator)
        found = await asyncio.to_thread(accumulator.result)
        return json_answer(
            VideoDescription(
                **task.common(run, found.warnings),
                file=task.files()[0],
                duration=duration,
                scenes=[VideoScene(start=one.start, end=one.end, description=one.description) for one in found.scenes],
            )
        )
