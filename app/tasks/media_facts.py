"""The facts that a task knows of its media: sizes, durations, pages.

They are read from the bytes if the gateway holds them, otherwise from the registry. A held picture is decoded once
before the model is asked, so that a truncated picture is refused without cost. Decoding runs in a worker, with limits
on time and memory.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Concatenate, ParamSpec, TypeVar

from app.api.prompt import Stored
from app.errors import TooManyPixelsError, UnreadableFileError
from app.media.facts import MediaFacts, read_facts
from app.media.facts.documents import count_pages
from app.media.incoming_file import IncomingFile
from app.media.types import MediaKind, kind_of
from app.media.workers import WorkerDiedError, WorkerTimeoutError
from app.services import Services
from app.tasks.pictures import PictureTooLargeError, UnreadablePictureError, check_picture

Medium = IncomingFile | Stored
P = ParamSpec("P")
R = TypeVar("R")


class TaskMedia:
    """The media of one task, in order."""

    def __init__(self, services: Services, media: Sequence[Medium]) -> None:
        self._services = services
        self._media = media
        self._facts: dict[int, MediaFacts] = {}

    def __len__(self) -> int:
        return len(self._media)

    @asynccontextmanager
    async def copied(self, index: int = 0) -> AsyncIterator[bytes]:
        """Yield a held file's bytes in one piece; the copy counts against the held bytes. Raises BusyError."""
        file = self._media[index]
        if not isinstance(file, IncomingFile) or not file.is_held:
            # Callers check `is_held` first.
            raise AssertionError("only what is held can be copied")
        self._services.held_bytes.reserve(file.size_bytes)
        try:
            yield await asyncio.to_thread(b"".join, file.held_slices)
        finally:
            self._services.held_bytes.release(file.size_bytes)

    async def look(self, index: int = 0) -> MediaFacts:
        """Return the facts of a file, read from its bytes if the gateway holds them.

        Raises UnreadableFileError, TooManyPixelsError, BusyError.
        """
        file = self._media[index]
        if isinstance(file, IncomingFile) and file.is_held:
            async with self.copied(index) as data:
                self._facts[index] = await self._read(data, file.type.mime_type, file.where)
        return self.facts(index)

    def facts(self, index: int = 0) -> MediaFacts:
        """Return the facts of a file that are known so far."""
        file = self._media[index]
        if index in self._facts:
            return self._facts[index]
        return file.file.upload.facts if isinstance(file, Stored) else file.facts

    def size(self, index: int = 0) -> tuple[int, int] | None:
        """Return a picture's width and height in pixels as displayed, or None if unknown."""
        facts = self.facts(index)
        return None if facts.width is None or facts.height is None else (facts.width, facts.height)

    def learn(self, known: Mapping[str, MediaFacts]) -> None:
        """Add the recorded facts of files at Gemini, by their names there."""
        for index, file in enumerate(self._media):
            name = file.file.upload.name if isinstance(file, Stored) else file.upload_name
            if name is not None and name in known and index not in self._facts:
                self._facts[index] = known[name]

    async def decode(
        self, where: str, work: Callable[Concatenate[bytes, P], R], data: bytes, /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run work on a picture in a worker. Raises UnreadableFileError, TooManyPixelsError or BusyError."""
        try:
            return await self._services.workers.run(work, data, *args, **kwargs)
        except UnreadablePictureError as error:
            raise UnreadableFileError(f"{where}: the picture cannot be decoded: {error}.") from None
        except PictureTooLargeError as error:
            raise TooManyPixelsError(f"{where}: {error}.") from None
        except WorkerTimeoutError:
            limit = self._services.settings.decode_timeout_s
            raise UnreadableFileError(f"{where}: decoding the picture takes longer than {limit:g} s.") from None
        except WorkerDiedError:
            limit = self._services.settings.decode_memory_bytes
            raise UnreadableFileError(f"{where}: decoding the picture takes more than {limit} bytes.") from None

    async def _read(self, data: bytes, mime_type: str, where: str) -> MediaFacts:
        match kind_of(mime_type):
            case MediaKind.IMAGE:
                limit = self._services.settings.max_pixels
                width, height = await self.decode(where, check_picture, data, max_pixels=limit)
                return MediaFacts(width=width, height=height)
            case MediaKind.DOCUMENT:
                return MediaFacts(pages=await self._count(data))
            case _:
                return await asyncio.to_thread(read_facts, data, mime_type, is_whole=True)

    async def _count(self, data: bytes) -> int | None:
        try:
            return await self._services.workers.run(count_pages, data)
        except (WorkerTimeoutError, WorkerDiedError):
            # Gemini may read a document that cannot be counted here.
            return None
