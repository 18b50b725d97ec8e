"""`POST /images/detections`."""

import asyncio

from fastapi import APIRouter, Request, Response

from app.api.access import needs
from app.api.forms import FormSpec
from app.api.openapi import answers, form_body
from app.clients.identity import Scope
from app.tasks.detections import question as detection
from app.tasks.detections.answer import DetectedObject, ImageDetections
from app.tasks.detections.form import DetectionForm, labels_of
from app.tasks.detections.question import Detections
from app.tasks.object_search import open_search
from app.tasks.overlay import Drawn
from app.tasks.task import Question

router = APIRouter(prefix="/api/v1/images")

DETECTION = FormSpec(DetectionForm)


def _question(form: DetectionForm) -> Question:
    return detection.question(labels=labels_of(form), prompt=form.prompt, language=form.language)


@router.post(
    "/detections",
    operation_id="detectObjects",
    summary="Find objects in a picture",
    response_model=None,
    responses=answers(ImageDetections),
    openapi_extra=form_body(DetectionForm),
)
@needs(Scope.TASKS, asks_model=True)
async def detect_objects(request: Request) -> Response:
    """Return each object's label and box, in pixels of the picture as displayed."""
    async with open_search(request, DETECTION, _question) as search:

        async def read(text: str) -> Detections:
            return await asyncio.to_thread(
                detection.read, text, width=search.width, height=search.height, labels=search.labels
            )

        outcome = await search.task.once(search.task.question, read)
        found = outcome.result
        overlay = await search.canvas.draw([Drawn(one.label, one.box, None) for one in found.objects])
        answer = ImageDetections(
            **search.common(outcome.run, found, overlay),
            objects=[DetectedObject.of(one) for one in found.objects],
        )
        return search.canvas.answer(answer, outcome.run)
