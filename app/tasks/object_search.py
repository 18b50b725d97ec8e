"""Finding objects in one picture: the part that detections and segmentations share."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fastapi import Request

from app.api.forms import FormSpec
from app.media.types import MediaKind
from app.tasks.answers import ImageSize, OverlayImage
from app.tasks.canvas import Canvas, size_of, wants_png
from app.tasks.detections.form import DetectionForm, labels_of
from app.tasks.detections.question import Detections
from app.tasks.running import Run
from app.tasks.segmentations.question import Segmentations
from app.tasks.task import Question
from app.tasks.task_call import TaskCall, open_task
from app.tasks.task_form import TaskSpec

F = TypeVar("F", bound=DetectionForm)
IMAGES = frozenset({MediaKind.IMAGE})


def _drawing_spec(request: Request, spec: FormSpec[F], question: Callable[[F], Question]) -> TaskSpec[F]:
    is_png = wants_png(request)
    return TaskSpec(spec, IMAGES, question, may_draw=True, draws=lambda form: is_png or bool(form.overlay))


@dataclass(frozen=True, slots=True)
class ObjectSearch(Generic[F]):
    """A task on the objects of one picture: its canvas, its size and the wanted labels."""

    task: TaskCall[F]
    canvas: Canvas[F]
    width: int
    height: int
    labels: tuple[str, ...]

    def common(self, run: Run, found: Detections | Segmentations, overlay: OverlayImage | None) -> dict[str, Any]:
        """Return the fields that both answers share."""
        return {
            **self.task.common(run, found.warnings),
            "file": self.task.files()[0],
            "image": ImageSize(width=self.width, height=self.height),
            "dropped_count": found.dropped_count,
            "overlay": overlay,
        }


@asynccontextmanager
async def open_search(
    request: Request, spec: FormSpec[F], question: Callable[[F], Question]
) -> AsyncIterator[ObjectSearch[F]]:
    """Read the form, copy the picture if a drawing is wanted, and prepare the question."""
    async with AsyncExitStack() as stack:
        task = await stack.enter_async_context(open_task(request, _drawing_spec(request, spec, question)))
        await task.media.look()
        canvas = Canvas(request, task, stack, is_asked=bool(task.form.overlay))
        await canvas.prepare()
        await task.prepare()
        width, height = size_of(task)
        yield ObjectSearch(task, canvas, width, height, labels_of(task.form))
