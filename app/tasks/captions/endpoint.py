"""`POST /images/captions`."""

import asyncio

from fastapi import APIRouter, Request, Response

from app.api.access import needs
from app.api.forms import FormSpec
from app.api.openapi import answers, form_body
from app.clients.identity import Scope
from app.tasks.captions import question as captioning
from app.tasks.captions.answer import ImageCaption
from app.tasks.captions.form import CaptionForm
from app.tasks.object_search import IMAGES
from app.tasks.task import Question
from app.tasks.task_call import json_answer, open_task
from app.tasks.task_form import TaskSpec

router = APIRouter(prefix="/api/v1/images")


def _question(form: CaptionForm) -> Question:
    return captioning.question(form.prompt, form.language)


CAPTION = TaskSpec(FormSpec(CaptionForm), IMAGES, _question)


@router.post(
    "/captions",
    operation_id="captionImage",
    summary="Describe a picture",
    response_model=None,
    responses=answers(ImageCaption),
    openapi_extra=form_body(CaptionForm),
)
@needs(Scope.TASKS, asks_model=True)
async def caption_image(request: Request) -> Response:
    """Return a caption, an alternative text and tags."""
    async with open_task(request, CAPTION) as task:
        await task.media.look()
        await task.prepare()

        async def read(text: str) -> captioning.Caption:
            return await asyncio.to_thread(captioning.read, text)

        outcome = await task.once(task.question, read)
        found = outcome.result
        return json_answer(
            ImageCaption(
                **task.common(outcome.run),
                file=task.files()[0],
                caption=found.caption,
                alt_text=found.alt_text,
                tags=list(found.tags),
            )
        )
