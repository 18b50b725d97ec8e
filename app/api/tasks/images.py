"""`/images`: captions, detections, segmentations, comparisons."""

import asyncio
import math
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from app.api.accept import named
from app.api.document import answers, form_body
from app.api.forms import FormSpec, FormValues
from app.api.tasks.answers import (
    DetectedObject,
    ImageCaption,
    ImageComparison,
    ImageDetections,
    ImageDifference,
    ImageSegmentations,
    ImageSize,
    ObjectMask,
    OverlayImage,
    PixelBox,
    SegmentedObject,
    TaskAnswer,
)
from app.api.tasks.draft import TaskSpec, split_labels
from app.api.tasks.drawn_answer import DrawnAnswer, as_json, as_picture, placeholder
from app.api.tasks.forms import (
    MAX_LABEL_CHARS,
    MAX_LABELS,
    MAX_PICTURES,
    CaptionForm,
    ComparisonForm,
    DetectionForm,
    MaskPlacement,
    SegmentationForm,
)
from app.api.tasks.task_call import TaskCall, completeness, json_answer, open_task
from app.errors import FieldError, InvalidFieldError, UnreadableFileError
from app.media.types import Kind
from app.media.workers import WorkerDiedError, WorkerTimeoutError
from app.tasks import captioning, comparison, detection, segmentation
from app.tasks.boxes import PixelBox as Box
from app.tasks.detection import Detections, FoundObject
from app.tasks.lenient_json import UnreadableAnswerError
from app.tasks.masks import Mask
from app.tasks.overlay import MAX_SIDE, Drawn, draw
from app.tasks.running import Run
from app.tasks.segmentation import Segmentations
from app.tasks.task import Question

router = APIRouter(prefix="/api/v1/images")

IMAGES = frozenset({Kind.IMAGE})
PNG = "image/png"
BYTES_A_PIXEL = 4
ENVELOPE_BYTES = 4_096
"""What a PNG may take at most: noise does not compress."""


def wants_png(request: Request) -> bool:
    """Whether the client wants the overlay itself, as curl users do."""
    ranges = named(request)
    return PNG in ranges and "application/json" not in ranges


def _labels(values: FormValues) -> tuple[str, ...]:
    labels = split_labels(values.get("labels"))
    if len(labels) > MAX_LABELS or any(len(label) > MAX_LABEL_CHARS for label in labels):
        message = f"takes at most {MAX_LABELS} labels of {MAX_LABEL_CHARS} characters"
        raise InvalidFieldError(
            f"labels: {message}.", errors=(FieldError("labels", message, received=f"{len(labels)} labels"),)
        )
    return labels


def _caption_question(values: FormValues) -> Question:
    return captioning.question(values.get("prompt"), values.get("language"))


def _detection_question(values: FormValues) -> Question:
    return detection.question(labels=_labels(values), prompt=values.get("prompt"), language=values.get("language"))


def _segmentation_question(values: FormValues) -> Question:
    return segmentation.question(labels=_labels(values), prompt=values.get("prompt"), language=values.get("language"))


def _comparison_question(values: FormValues) -> Question:
    # The number of pictures is not known before the form's end; any stands for its length.
    return comparison.question(MAX_PICTURES, values.get("prompt"), values.get("language"))


CAPTION = FormSpec(CaptionForm)
DETECTION = FormSpec(DetectionForm)
SEGMENTATION = FormSpec(SegmentationForm)
COMPARISON = FormSpec(ComparisonForm)


def _size_of(task: TaskCall, index: int = 0) -> tuple[int, int]:
    size = task.media.size(index)
    if size is None:
        raise UnreadableFileError(
            "The picture's width and height could not be read, and boxes in pixels need them; save it again as PNG, "
            "JPEG, WebP or HEIC."
        )
    return size


@router.post(
    "/captions",
    operation_id="captionImage",
    summary="Describe a picture",
    response_model=None,
    responses=answers(ImageCaption),
    openapi_extra=form_body(CaptionForm),
)
async def caption_image(request: Request) -> Response:
    """Give a caption, an alternative text and tags."""
    async with open_task(request, TaskSpec(CAPTION, IMAGES, _caption_question)) as task:
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


def _drawing_spec(request: Request, form: FormSpec, question: Any) -> TaskSpec:  # noqa: ANN401  # see TaskSpec
    is_png = wants_png(request)
    return TaskSpec(form, IMAGES, question, may_draw=True, draws=lambda values: is_png or bool(values.get("overlay")))


class _Canvas:
    """What is drawn on when the answer has come: a copy of the picture, and room for the drawing; or nothing."""

    def __init__(self, request: Request, task: TaskCall, stack: AsyncExitStack) -> None:
        self._is_png = wants_png(request)
        self._task = task
        self._stack = stack
        self._reserved = 0
        self._data: bytes | None = None
        self._drawing: bytes | None = None
        self._standing_in = placeholder()

    async def prepare(self) -> None:
        """Copy the picture, before it may be uploaded to be kept. Raises BusyError when there is no room to draw."""
        if not self._is_png and not self._task.value("overlay"):
            return
        width, height = _size_of(self._task)
        shrunk = min(1.0, MAX_SIDE / max(width, height))
        self._reserved = ENVELOPE_BYTES + math.ceil(width * shrunk) * math.ceil(height * shrunk) * BYTES_A_PIXEL
        self._task.services.held_bytes.reserve(self._reserved)
        self._stack.callback(self._release)
        self._data = await self._stack.enter_async_context(self._task.media.copied())

    async def draw(self, drawn: Sequence[Drawn]) -> OverlayImage | None:
        """Draw, where that was asked for; gives what the JSON answer has of it, a placeholder for its data."""
        if self._data is None:
            return None
        limit = self._task.services.settings.max_pixels
        self._drawing = await self._task.media.decode("file", draw, self._data, drawn, max_pixels=limit)
        return OverlayImage(mime_type=PNG, data=self._standing_in)

    def answer(self, answer: TaskAnswer, run: Run) -> Response:
        """Answer with the drawing alone, or with JSON."""
        if self._drawing is None:
            return json_answer(answer)
        if self._is_png:
            pieces, length = as_picture(self._drawing)
        else:
            pieces, length = as_json(answer.json_bytes(), self._standing_in, self._drawing)
        # From here on the answer holds the room.
        reserved, self._reserved = self._reserved, 0
        return DrawnAnswer(
            pieces,
            length,
            media_type=PNG if self._is_png else "application/json",
            headers=completeness(run) if self._is_png else {},
            release=partial(self._task.services.held_bytes.release, reserved),
        )

    def _release(self) -> None:
        self._task.services.held_bytes.release(self._reserved)
        self._reserved = 0


@dataclass(frozen=True, slots=True)
class _Search:
    """A task that looks for objects in one picture: where the picture is drawn on, its size, the labels wanted."""

    task: TaskCall
    canvas: _Canvas
    width: int
    height: int
    labels: tuple[str, ...]

    def common(self, run: Run, found: Detections | Segmentations, overlay: OverlayImage | None) -> dict[str, Any]:
        """Give what both answers have."""
        return {
            **self.task.common(run, found.warnings),
            "file": self.task.files()[0],
            "image": ImageSize(width=self.width, height=self.height),
            "dropped_count": found.dropped_count,
            "overlay": overlay,
        }


@asynccontextmanager
async def _open_search(request: Request, form: FormSpec, question: Any) -> AsyncIterator[_Search]:  # noqa: ANN401  # see TaskSpec
    async with AsyncExitStack() as stack:
        task = await stack.enter_async_context(open_task(request, _drawing_spec(request, form, question)))
        await task.media.look()
        canvas = _Canvas(request, task, stack)
        await canvas.prepare()
        await task.prepare()
        width, height = _size_of(task)
        yield _Search(task, canvas, width, height, _labels(task.draft.values))


@router.post(
    "/detections",
    operation_id="detectObjects",
    summary="Find objects in a picture",
    response_model=None,
    responses=answers(ImageDetections),
    openapi_extra=form_body(DetectionForm),
)
async def detect_objects(request: Request) -> Response:
    """Give each object's label and box, in pixels of the picture as displayed."""
    async with _open_search(request, DETECTION, _detection_question) as search:

        async def read(text: str) -> Detections:
            return await asyncio.to_thread(
                detection.read, text, width=search.width, height=search.height, labels=search.labels
            )

        outcome = await search.task.once(search.task.question, read)
        found = outcome.result
        overlay = await search.canvas.draw([Drawn(one.label, one.box, None) for one in found.objects])
        answer = ImageDetections(
            **search.common(outcome.run, found, overlay),
            objects=[DetectedObject(**_object(one)) for one in found.objects],
        )
        return search.canvas.answer(answer, outcome.run)


@router.post(
    "/segmentations",
    operation_id="segmentImage",
    summary="Outline objects in a picture",
    response_model=None,
    responses=answers(ImageSegmentations),
    openapi_extra=form_body(SegmentationForm),
)
async def segment_image(request: Request) -> Response:
    """Give each object's label, box and mask."""
    async with _open_search(request, SEGMENTATION, _segmentation_question) as search:
        placement: MaskPlacement = search.task.value("mask") or "cropped"

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
            objects=[SegmentedObject(**_object(one.found), mask=_mask(one.mask)) for one in found.objects],
        )
        return search.canvas.answer(answer, outcome.run)


@router.post(
    "/comparisons",
    operation_id="compareImages",
    summary="Compare pictures",
    response_model=None,
    responses=answers(ImageComparison),
    openapi_extra=form_body(ComparisonForm),
)
async def compare_images(request: Request) -> Response:
    """Say how two to ten pictures differ, and where."""
    spec = TaskSpec(COMPARISON, IMAGES, _comparison_question, files=(2, MAX_PICTURES))
    async with open_task(request, spec) as task:
        for index in range(len(task.media)):
            await task.media.look(index)
        await task.prepare()
        values = task.draft.values
        question = comparison.question(len(task.media), values.get("prompt"), values.get("language"))

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
                        box=None if one.box is None else _box(one.box),
                    )
                    for one in found.differences
                ],
            )
        )


def _box(box: Box) -> PixelBox:
    return PixelBox(x_min=box.x_min, y_min=box.y_min, x_max=box.x_max, y_max=box.y_max)


def _object(found: FoundObject) -> dict[str, Any]:
    return {"label": found.label, "box": _box(found.box), "box_2d": list(found.box_2d)}


def _mask(mask: Mask | None) -> ObjectMask | None:
    if mask is None:
        return None
    return ObjectMask(
        png=b64encode(mask.png).decode(),
        x=mask.x,
        y=mask.y,
        width=mask.width,
        height=mask.height,
        area=mask.area,
    )
