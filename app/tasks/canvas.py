"""Drawing found objects on a picture: a copy of the picture, memory for the drawing, and the answer that holds it."""

import math
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Generic, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel

from app.api.accept import named
from app.errors import UnreadableFileError
from app.tasks.answers import OverlayImage, TaskAnswer
from app.tasks.drawn_answer import DrawnAnswer, as_json, as_picture, placeholder
from app.tasks.overlay import MAX_SIDE, Drawn, draw
from app.tasks.running import Run
from app.tasks.task_call import TaskCall, completeness, json_answer

F = TypeVar("F", bound=BaseModel)
PNG = "image/png"
# A PNG of noise is as large as its pixels, plus its own frame.
BYTES_A_PIXEL = 4
ENVELOPE_BYTES = 4_096


def wants_png(request: Request) -> bool:
    """Whether the client asks for the drawing itself, as curl users do."""
    ranges = named(request)
    # A browser that accepts anything gets JSON.
    return PNG in ranges and "application/json" not in ranges


def size_of(task: TaskCall[F], index: int = 0) -> tuple[int, int]:
    """Return a picture's width and height in pixels as displayed; raises UnreadableFileError if they are unknown."""
    size = task.media.size(index)
    if size is None:
        raise UnreadableFileError(
            "The picture's width and height could not be read, and boxes in pixels need them; save it again as PNG, "
            "JPEG, WebP or HEIC."
        )
    return size


class Canvas(Generic[F]):
    """A copy of the picture and memory for the drawing, if a drawing is wanted."""

    def __init__(self, request: Request, task: TaskCall[F], stack: AsyncExitStack, *, is_asked: bool) -> None:
        self._is_png = wants_png(request)
        self._is_asked = is_asked or self._is_png
        self._task = task
        self._stack = stack
        self._reserved = 0
        self._data: bytes | None = None
        self._drawing: bytes | None = None
        self._standing_in = placeholder()

    async def prepare(self) -> None:
        """Copy the picture before it may be uploaded. Raises BusyError if the memory is in use."""
        if not self._is_asked:
            return
        width, height = size_of(self._task)
        shrunk = min(1.0, MAX_SIDE / max(width, height))
        # Reserved before the model is asked, so that a paid answer is not lost for lack of memory.
        self._reserved = ENVELOPE_BYTES + math.ceil(width * shrunk) * math.ceil(height * shrunk) * BYTES_A_PIXEL
        self._task.services.held_bytes.reserve(self._reserved)
        self._stack.callback(self._release)
        self._data = await self._stack.enter_async_context(self._task.media.copied())

    async def draw(self, drawn: Sequence[Drawn]) -> OverlayImage | None:
        """Draw, if a drawing is wanted, and return its entry in the JSON answer, with a placeholder for its data."""
        if self._data is None:
            return None
        limit = self._task.services.settings.max_pixels
        self._drawing = await self._task.media.decode("file", draw, self._data, drawn, max_pixels=limit)
        return OverlayImage(mime_type=PNG, data=self._standing_in)

    def answer(self, answer: TaskAnswer, run: Run) -> Response:
        """Return the response: the drawing alone, or JSON."""
        if self._drawing is None:
            return json_answer(answer)
        if self._is_png:
            pieces, length = as_picture(self._drawing)
        else:
            pieces, length = as_json(answer.json_bytes(), self._standing_in, self._drawing)
        # From here on the response owns the reserved memory.
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
