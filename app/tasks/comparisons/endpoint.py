"""`POST /images/comparisons`."""

import asyncio

from fastapi import APIRouter, Request, Response

from app.api.access import needs
from app.api.forms import FormSpec
from app.api.openapi import answers, form_body
from app.clients.identity import Scope
from app.tasks.answers import PixelBox
from app.tasks.comparisons import question as comparison
from app.tasks.comparisons.answer import ImageComparison, ImageDifference
from app.tasks.comparisons.form import MAX_PICTURES, ComparisonForm
from app.tasks.object_search import IMAGES
from app.tasks.task import Question
from app.tasks.task_call import json_answer, open_task
from app.tasks.task_form import TaskSpec

router = APIRouter(prefix="/api/v1/images")


def _question(form: ComparisonForm) -> Question:
    # The number of pictures is unknown before the form's end; the largest number gives the question's length.
    return comparison.question(MAX_PICTURES, form.prompt, form.language)


COMPARISON = TaskSpec(FormSpec(ComparisonForm), IMAGES, _question, files=(2, MAX_PICTURES))


@router.post(
    "/comparisons",
    operation_id="compareImages",
    summary="Compare pictures",
    response_model=None,
    responses=answers(ImageComparison),
    openapi_extra=form_body(ComparisonForm),
)
@needs(Scope.TASKS, asks_model=True)
async def compare_images(request: Request) -> Response:
    """Return the differences of two to ten pictures, with their places."""
    async with open_task(request, COMPARISON) as task:
        for index in range(len(task.media)):
            await task.media.look(index)
        await task.prepare()
        form = task.form
        question = comparison.question(len(task.media), form.prompt, form.language)

        async def read(text: str) -> comparison.Comparison:
            sizes = [task.media.size(index) for index in range(len(task.media))]
            return await asyncio.to_thread(comparison.read, text, sizes)

        outcome = await task.once(question, read)
        found = outcome.result
        return json_answer(
            ImageComparison(
                **task.common(outcome.run),
                files=task.files(),
                summary=found.summary,
                differences=[
                    ImageDifference(
                        description=one.description,
                        image_index=one.image_index,
                        box=None if one.box is None else PixelBox.of(one.box),
                    )
                    for one in found.differences
                ],
            )
        )
