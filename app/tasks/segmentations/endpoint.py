"""`POST /images/segmentations`."""

from fastapi import APIRouter, Request, Response

from app.api.access import needs
from app.api.forms import FormSpec
from app.api.openapi import answers, form_body
from app.clients.identity import Scope
from app.media.workers import WorkerDiedError, WorkerTimeoutError
from app.tasks.detections.form import labels_of
from app.tasks.lenient_json import UnreadableAnswerError
from app.tasks.masks import Mask
from app.tasks.object_search import open_search
from app.tasks.overlay import Drawn
from app.tasks.segmentations import question as segmentation
from app.tasks.segmentations.answer import ImageSegmentations, ObjectMask, SegmentedObject
from app.tasks.segmentations.form import MaskPlacement, SegmentationForm
from app.tasks.segmentations.question import Segmentations
from app.tasks.task import Question

router = APIRouter(prefix="/api/v1/images")

SEGMENTATION = FormSpec(SegmentationForm)


def _question(form: SegmentationForm) -> Question:
    return segmentation.question(labels=labels_of(form), prompt=form.prompt, language=form.language)


@router.post(
    "/segmentations",
    operation_id="segmentImage",
    summary="Outline objects in a picture",
    response_model=None,
    responses=answers(ImageSegmentations),
    openapi_extra=form_body(SegmentationForm),
)
@needs(Scope.TASKS, asks_model=True)
async def segment_image(request: Request) -> Response:
    """Return each object's label, box and mask."""
    async with open_search(request, SEGMENTATION, _question) as search:
        placement: MaskPlacement = search.task.form.mask or "cropped"

        async def read(text: str) -> Segmentations:
            try:
                return await search.task.services.workers.run(
                    segmentation.read,
                    text,
                    width=search.width,
                    height=search.height,
                    labels=search.labels,
                    mask=placement,
                )
            except (WorkerDiedError, WorkerTimeoutError):
                raise UnreadableAnswerError("its masks take too long, or too much memory, to read") from None

        outcome = await search.task.once(search.task.question, read)
        found = outcome.result
        overlay = await search.canvas.draw([Drawn(one.found.label, one.found.box, one.mask) for one in found.objects])
        answer = ImageSegmentations(
            **search.common(outcome.run, found, overlay),
            objects=[
                SegmentedObject.of(one.found, mask=None if one.mask is None else ObjectMask.of(one.mask))
                for one in found.objects
            ],
        )
        return search.canvas.answer(answer, outcome.run)


def _mask(mask: Mask | None) -> ObjectMask | None:
    return None if mask is None else ObjectMask.of(mask)
