"""The form of a task while it is read: its options and its file or pictures.

Unlike the fields of generate, fields may arrive in any order.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from pydantic import BaseModel

from app.api.caller import RestCaller
from app.api.form_reader import FormFile, read_form
from app.api.forms import FormSpec, FormValues
from app.api.prompt import Stored, stored
from app.errors import FieldError, InvalidFieldError
from app.gemini.request import (
    ENVELOPE_BYTES,
    NO_OPTIONS,
    MediaOptions,
    TextPart,
    part_length,
    reference_length,
)
from app.media.form_files import FormFiles, bytes_needed
from app.media.incoming_file import IncomingFile
from app.media.multipart import FormReader
from app.media.type_refusals import check_kind
from app.media.types import MediaKind, kind_of
from app.request.query import RequestQuery
from app.tasks.forms import PassageForm, TaskOptions
from app.tasks.running import CONTINUATION_BYTES, options_of
from app.tasks.task import Question

Medium = IncomingFile | Stored
# A question may grow by this many bytes once facts about the file are known.
FACTS_BYTES = 4_096

F = TypeVar("F", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class TaskSpec(Generic[F]):
    """One task's form: its fields, the kinds and numbers of its files, and its question.

    `may_draw` is true if the answer may hold a drawing on the file's own bytes; `draws` says whether the form so far
    asks for one. `model` returns the requested model, None for the default; without it the field `model` is read.
    `check` raises InvalidFieldError for a fault of the whole form.
    """

    form: FormSpec[F]
    accepts: frozenset[MediaKind]
    question: Callable[[F], Question]
    files: tuple[int, int] = (1, 1)
    may_draw: bool = False
    draws: Callable[[F], bool] = lambda _: False
    media_options: Callable[[F], MediaOptions] = lambda _: NO_OPTIONS
    model: Callable[[F], str | None] | None = None
    check: Callable[[F], None] = lambda _: None


class TaskFormReader(Generic[F]):
    """Reads one task's form, and its media in the order of the parts."""

    def __init__(self, caller: RestCaller, files: FormFiles, spec: TaskSpec[F], query: RequestQuery) -> None:
        self._caller = caller
        self._files = files
        self._spec = spec
        self._values = FormValues(spec.form, query, max_bytes=caller.services.settings.max_fields_bytes)
        self.media: list[Medium] = []
        self._mind_policy()
        self._measure()

    @property
    def form(self) -> F:
        """Return the form as read so far."""
        return self._values.form

    async def read(self, reader: FormReader) -> None:
        """Read the whole form. Raises the fault of any field or file as soon as it is seen."""
        form = await read_form(reader, self._values, self)
        self._check_passage()
        self._spec.check(form)
        self._check_count(is_end=True)
        self._settle_options()
        self._measure()
        await self._files.recheck()

    @property
    def common(self) -> TaskOptions:
        """Return the options of every task so far; the defaults for a form that has none of them."""
        form = self.form
        return form if isinstance(form, TaskOptions) else TaskOptions()

    @property
    def question(self) -> Question:
        """Return the question about the media, as far as the form alone decides it."""
        return self._spec.question(self.form)

    @property
    def model(self) -> str | None:
        """Return the requested model, None for the default."""
        return self.common.model if self._spec.model is None else self._spec.model(self.form)

    @property
    def media_options(self) -> MediaOptions:
        """Return the options with which Gemini reads the file."""
        return self._spec.media_options(self.form)

    def _settle_options(self) -> None:
        # Options may arrive after the file that they apply to.
        options = self.media_options
        for file in self._files.all:
            self._files.set_options(file, options)
        self.media = [replace(one, options=options) if isinstance(one, Stored) else one for one in self.media]

    async def take_file(self, file: FormFile) -> None:
        """Read a file to its end; raises InvalidFieldError for more files than the task takes."""
        if len(self.media) == self._spec.files[1]:
            await self._refuse_any(file)
            return
        incoming = await self._files.take(
            file.data,
            filename=file.filename,
            declared=file.declared_mime_type,
            claim=file.claim,
            options=self.media_options,
        )
        if incoming is not None:
            self.media.append(incoming)
            self._check_count(is_end=False)

    async def _refuse_any(self, file: FormFile) -> None:
        """Refuse a surplus file before it is read; a part without a name and bytes does not count."""
        # A form may contain an empty file field that the user left blank.
        async for piece in file.data:
            if piece:
                raise self._wrong_count(len(self.media) + 1)
        if file.filename:
            raise self._wrong_count(len(self.media) + 1)

    async def take_field(self, name: str, text: str) -> None:
        """Apply a field: a stored file, a claim after the only file, or an option."""
        if name == "file_id":
            await self._take_stored(text)
        if self._is_one and self._files.all:
            # Generated clients send fields in any order.
            self._files.all[0].claim_late(self._values.take_of_file().claim)
        self._mind_policy()
        self._measure()
        await self._files.recheck()

    async def _take_stored(self, file_id: str) -> None:
        if any(isinstance(medium, Stored) and medium.file.id == file_id for medium in self.media) and self._is_one:
            return
        found = await stored(self._caller, file_id, self.media_options)
        mime_type = found.file.upload.mime_type
        check_kind(kind_of(mime_type), mime_type, self._spec.accepts, "file_id")
        self.media.append(found)
        self._check_count(is_end=False)

    @property
    def _is_one(self) -> bool:
        return self._spec.files == (1, 1)

    def _mind_policy(self) -> None:
        if self._spec.draws(self.form):
            # A kept file, too, is uploaded only after the drawing has its copy.
            self._files.need_bytes()
            if any(not isinstance(medium, IncomingFile) or not medium.is_held for medium in self.media):
                raise bytes_needed("file" if isinstance(self.media[0], IncomingFile) else "file_id")
        elif self.common.keep_file and not self._spec.may_draw:
            # If a drawing is possible, the field that asks for it may follow the file, whose bytes are then needed.
            self._files.keep_all()

    def _check_count(self, *, is_end: bool) -> None:
        self._mind_policy()
        least, most = self._spec.files
        count = len(self.media)
        if count > most or (is_end and count < least):
            raise self._wrong_count(count)

    def _wrong_count(self, count: int) -> InvalidFieldError:
        least, most = self._spec.files
        if "file_id" not in self._spec.form.fields:
            wanted = "exactly one file"
        else:
            wanted = f"{'exactly one' if self._is_one else f'{least} to {most}'} of file and file_id"
        message = f"takes {wanted}, not {count}"
        return InvalidFieldError(
            f"The form {message}.", errors=(FieldError("file", message, received=str(count), allowed=wanted),)
        )

    def _check_passage(self) -> None:
        form = self.form
        start, end = (form.start, form.end) if isinstance(form, PassageForm) else (None, None)
        if start is not None and end is not None and end <= start:
            message = f"must be after start ({start:g} s)"
            raise InvalidFieldError(
                f"end: {message}.", errors=(FieldError("end", message, received=f"{end:g}", allowed=f"> {start:g}"),)
            )

    def _measure(self) -> None:
        size, question = self._files.size, self.question
        # The request must fit with its later continuations, since files cannot spill after the first question.
        size.frame_bytes = ENVELOPE_BYTES + len(options_of(question).json()) + FACTS_BYTES + CONTINUATION_BYTES
        size.parts_bytes = part_length(TextPart(question.instruction)) + 1
        size.parts_bytes += sum(
            reference_length(medium.file.upload.mime_type, medium.options) + 1
            for medium in self.media
            if isinstance(medium, Stored)
        )
