"""A task's form while it is read: its options validated, its one file (or its pictures) taken in.

It is the sibling of generate's draft, but the fields come in any order: there is no prompt whose order they are.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from app.api.draft import field_text
from app.api.forms import FormSpec, FormValues
from app.api.prompt import Stored, stored
from app.api.services import Services
from app.errors import FieldError, InvalidFieldError
from app.gemini.request import (
    ENVELOPE_BYTES,
    NO_OPTIONS,
    MediaOptions,
    TextPart,
    part_length,
    reference_length,
)
from app.media.incoming import Claim, Incoming, check_kind
from app.media.intake import Intake, Policy, bytes_needed
from app.media.multipart import FormReader, PartHead
from app.media.types import Kind, kind_of
from app.tasks.running import GOING_ON_BYTES, options_of
from app.tasks.task import Question

Medium = Incoming | Stored
FACTS_BYTES = 4_096
"""What a question may grow by when facts about the file are known."""


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One task's form: its fields, the kinds and numbers of files it takes, and what it asks.

    `may_draw` is set where the file's own bytes may be needed, to draw on; `draws` tells from the values so far whether
    they are. `model` gives the model
    that is meant, None for the default. `check` sees the values when all are there; it raises InvalidFieldError.
    """

    form: FormSpec
    accepts: frozenset[Kind]
    question: Callable[[FormValues], Question]
    files: tuple[int, int] = (1, 1)
    may_draw: bool = False
    draws: Callable[[FormValues], bool] = lambda _: False
    media_options: Callable[[FormValues], MediaOptions] = lambda _: NO_OPTIONS
    model: Callable[[FormValues], str | None] = lambda values: values.get("model")
    check: Callable[[FormValues], None] = lambda _: None


class TaskDraft:
    """Reads one form; afterwards gives its media in the order of the parts."""

    def __init__(self, services: Services, intake: Intake, spec: TaskSpec, query_string: bytes) -> None:
        self._services = services
        self._intake = intake
        self._spec = spec
        self.values = FormValues(spec.form, query_string, max_bytes=services.settings.max_fields_bytes)
        self.media: list[Medium] = []
        intake.accepts = spec.accepts
        intake.fixed_bytes = self._fixed_bytes
        self._mind_policy()

    async def read(self, reader: FormReader) -> None:
        """Read the whole form. Raises what is wrong with any field or file, as soon as it is seen."""
        async for head in reader:
            if head.name == "file":
                await self._take_file(head, reader)
            else:
                await self._take_field(head, reader)
        self._take_late_claims()
        self.values.finish()
        self._check_passage()
        self._spec.check(self.values)
        self._check_count(is_end=True)
        self._settle_options()
        await self._intake.recheck()

    @property
    def question(self) -> Question:
        """What is asked about the media."""
        return self._spec.question(self.values)

    @property
    def model(self) -> str | None:
        """The model that was named, None for the default."""
        return self._spec.model(self.values)

    @property
    def media_options(self) -> MediaOptions:
        """How Gemini is to take the file."""
        return self._spec.media_options(self.values)

    def _settle_options(self) -> None:
        # Options may have come after the file that they are about.
        options = self.media_options
        for file in self._intake.files:
            self._intake.set_options(file, options)
        self.media = [replace(one, options=options) if isinstance(one, Stored) else one for one in self.media]

    async def _take_file(self, head: PartHead, reader: FormReader) -> None:
        if len(self.media) == self._spec.files[1]:
            await self._refuse_any(head, reader)
            return
        fields = self.values.take_of_file()
        file = await self._intake.take(
            reader.data(),
            filename=head.filename,
            declared=head.content_type,
            claim=Claim(fields.get("file_size", head.content_length), fields.get("sha256")),
            options=self.media_options,
        )
        if file is not None:
            self.media.append(file)
            self._check_count(is_end=False)

    async def _refuse_any(self, head: PartHead, reader: FormReader) -> None:
        """Refuse one file too many before it is read; a part without a name and bytes is none."""
        async for piece in reader.data():
            if piece:
                raise self._wrong_count(len(self.media) + 1)
        if head.filename:
            raise self._wrong_count(len(self.media) + 1)

    async def _take_field(self, head: PartHead, reader: FormReader) -> None:
        text = await field_text(head, reader.data(), self.values)
        if self.values.take(head.name, text) is None:
            return
        if head.name == "file_id":
            await self._take_stored(text)
        self._mind_policy()
        await self._intake.recheck()

    async def _take_stored(self, file_id: str) -> None:
        if any(isinstance(medium, Stored) and medium.file.id == file_id for medium in self.media) and self._is_one:
            return
        found = await stored(self._services, file_id, self.media_options)
        mime_type = found.file.upload.mime_type
        check_kind(kind_of(mime_type), mime_type, self._spec.accepts, "file_id")
        self.media.append(found)
        self._check_count(is_end=False)

    @property
    def _is_one(self) -> bool:
        return self._spec.files == (1, 1)

    def _mind_policy(self) -> None:
        if self._spec.draws(self.values):
            # A file that is kept, too, goes up only when what is drawn on has been copied.
            self._intake.policy = Policy.HOLD
            if any(not isinstance(medium, Incoming) or not medium.is_held for medium in self.media):
                raise bytes_needed("file" if isinstance(self.media[0], Incoming) else "file_id")
        elif self.values.get("keep_file") and not self._spec.may_draw:
            # Where something may be drawn, the wish to have it drawn may follow the file, which is then still needed.
            self._intake.keep_all()

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

    def _take_late_claims(self) -> None:
        # Of one file, claims after it are its own too: generated clients send fields in any order.
        if self._is_one and self._intake.files:
            late = self.values.take_of_file()
            self._intake.files[0].claim_late(Claim(late.get("file_size"), late.get("sha256")))

    def _check_passage(self) -> None:
        start, end = self.values.get("start"), self.values.get("end")
        if start is not None and end is not None and end <= start:
            message = f"must lie behind start ({start:g} s)"
            raise InvalidFieldError(
                f"end: {message}.", errors=(FieldError("end", message, received=f"{end:g}", allowed=f"> {start:g}"),)
            )

    def _fixed_bytes(self) -> int:
        question = self.question
        instruction = part_length(TextPart(question.instruction))
        referenced = sum(
            reference_length(medium.file.upload.mime_type, medium.options) + 1
            for medium in self.media
            if isinstance(medium, Stored)
        )
        own = len(options_of(question).json()) + instruction + referenced + len(self._intake.files)
        return ENVELOPE_BYTES + own + FACTS_BYTES + GOING_ON_BYTES
