"""The form of generate while it is read: fields validated, files accepted, the prompt in order.

parts ──> fields ──> options, `contents`, earlier turns ──┐
      └─> files ───> held or streamed through ────────────┴──> the last turn's parts
"""

from collections.abc import Sequence
from dataclasses import replace

from app.api.caller import RestCaller
from app.api.form_reader import FormFile, read_form
from app.api.forms import FieldsOfFile, FormSpec, FormValues
from app.api.options import MAX_STOPS, OPTION_NAMES, ContentItem, GenerateForm, options_of
from app.api.prompt import Item, Stored, one_of, part_of, read_messages, stored
from app.errors import FieldError, InvalidFieldError
from app.gemini.request import (
    ENVELOPE_BYTES,
    NO_OPTIONS,
    GenerateRequest,
    Options,
    TextPart,
    Turn,
    part_length,
    turns_length,
)
from app.media.form_files import FormFiles
from app.media.incoming_file import IncomingFile
from app.media.multipart import FormReader
from app.request.query import RequestQuery

SPEC = FormSpec(GenerateForm)
NO_REQUEST_OPTIONS = Options()


class PromptForm:
    """Reads the form of generate into the items of the prompt, and into the request once the files are settled."""

    def __init__(self, caller: RestCaller, files: FormFiles, query: RequestQuery) -> None:
        self._caller = caller
        self._files = files
        self._items: list[Item] = []
        self._turns: Sequence[Turn] = ()
        self._earlier: Sequence[Item] = ()
        self._contents: Sequence[ContentItem] | None = None
        self._contents_stored: dict[int, Stored] = {}
        self._contents_of_files: dict[int, ContentItem] = {}
        self._values = FormValues(SPEC, query, max_bytes=caller.services.settings.max_fields_bytes)
        self.options, self._options_json = NO_REQUEST_OPTIONS, b""
        if query.pairs:
            self._read_options()
        if self.form.keep_file:
            files.keep_all()

    @property
    def form(self) -> GenerateForm:
        """Return the form as read so far."""
        return self._values.form

    def _read_options(self) -> None:
        if len(self.form.stop) > MAX_STOPS:
            raise _refused("stop", f"may be given at most {MAX_STOPS} times")
        self.options = options_of(self.form)
        self._options_json = self.options.json()
        self._measure_frame()

    async def read(self, reader: FormReader) -> None:
        """Read the whole form. Raises the error of a field or file as soon as it is seen."""
        before = self.form.media_resolution
        await read_form(reader, self._values, self)
        self._order_contents()
        if self.form.media_resolution != before:
            # A resolution without a following file applies to the whole request.
            self._read_options()
        await self._files.recheck()
        if not self.items and not self._turns:
            message = "at least one of prompt, file, file_id, contents or messages is needed"
            raise InvalidFieldError(f"The form is empty: {message}.", errors=(FieldError("prompt", message),))

    @property
    def items(self) -> list[Item]:
        """Return the last turn's items in the order of the prompt."""
        return self._items

    @property
    def all_items(self) -> list[Item]:
        """Return the items of all turns."""
        return [*self._earlier, *self._items]

    def request(self, wrapper: tuple[bytes, bytes] = (b"", b"")) -> GenerateRequest:
        """Return the request; the files must be settled."""
        turns = list(self._turns)
        if self._items:
            turns.append(Turn("user", [part_of(item) for item in self._items]))
        return GenerateRequest(turns, self._options_json, wrapper)

    async def take_file(self, file: FormFile) -> None:
        """Read a file to its end, and put it at its place in the prompt."""
        number = len(self._files.all)
        item = self._contents_of_files.get(number)
        if item is not None:
            file = replace(file, fields=_merged(file.fields, item, number))
        incoming = await self._files.take(
            file.data,
            filename=file.filename,
            declared=file.declared_mime_type,
            claim=file.claim,
            options=file.fields.media_options(),
            charset=file.fields.charset,
        )
        if incoming is not None and self._contents is None:
            self._items.append(incoming)

    async def take_field(self, name: str, text: str) -> None:
        """Apply a field: an item of the prompt, an option, or earlier turns."""
        if name in {"prompt", "file_id"}:
            await self._take_item(name, text)
        elif name == "keep_file" and self.form.keep_file:
            self._files.keep_all()
        elif name == "messages":
            self._turns, self._earlier = await read_messages(self._caller, self.form.messages or ())
            self._measure_frame()
        elif name == "contents" and self._contents is None:
            await self._take_contents()
        elif name in OPTION_NAMES:
            self._read_options()
        await self._files.recheck()

    async def _take_item(self, name: str, text: str) -> None:
        if self._contents is not None:
            raise _refused(name, "cannot be used with contents, which gives the whole order")
        item: Item = text
        if name == "file_id":
            item = await stored(self._caller, text, self._values.take_of_file().media_options())
        self._items.append(item)
        self._files.size.parts_bytes += part_length(part_of(item)) + 1

    async def _take_contents(self) -> None:
        if any(not isinstance(item, IncomingFile) for item in self._items):
            raise _refused("contents", "gives the whole order: send no prompt or file_id with it")
        self._contents = self.form.contents or ()
        for at, item in enumerate(self._contents):
            kind = one_of({"text": item.text, "file": item.file, "file_id": item.file_id}, f"contents[{at}]")
            if kind == "text":
                self._files.size.parts_bytes += part_length(TextPart(item.text or "")) + 1
            elif kind == "file_id":
                self._contents_stored[at] = await stored(self._caller, item.file_id or "", item.media_options())
                self._files.size.parts_bytes += part_length(self._contents_stored[at].part()) + 1
            elif self._contents_of_files.setdefault(item.file or 0, item) is not item:
                raise _refused(f"contents[{at}].file", f"names file {item.file} a second time")
        for file in self._files.all:
            item_of_file = self._contents_of_files.get(file.index)
            if item_of_file is not None and item_of_file.charset not in {None, file.charset}:
                raise _refused("contents", f"names the charset of {file.where}: send contents before the file")
            if item_of_file is not None and file.options == NO_OPTIONS:
                self._files.set_options(file, item_of_file.media_options())

    def _order_contents(self) -> None:
        if self._contents is None:
            return
        files = self._files.all
        self._items = []
        for at, item in enumerate(self._contents):
            if item.file is not None:
                if item.file >= len(files):
                    raise _refused(
                        f"contents[{at}].file", f"names file {item.file}, but the form has {len(files)} files"
                    )
                self._items.append(files[item.file])
            else:
                self._items.append(self._contents_stored.get(at) or item.text or "")
        left = [file.where for file in files if file.index not in self._contents_of_files]
        if left:
            raise _refused("contents", f"has no item for {left[0]}: every file of the form needs an item")

    def _measure_frame(self) -> None:
        self._files.size.frame_bytes = ENVELOPE_BYTES + len(self._options_json) + turns_length(self._turns)


def _refused(name: str, message: str) -> InvalidFieldError:
    return InvalidFieldError(f"{name}: {message}.", errors=(FieldError(name, message),))


def _merged(fields: FieldsOfFile, item: ContentItem, number: int) -> FieldsOfFile:
    """Return a file's fields merged with those of its item in `contents`; raises InvalidFieldError if they differ."""
    given = item.model_dump(exclude_none=True, exclude={"text", "file", "file_id"})
    for name, value in given.items():
        if getattr(fields, name) not in {None, value}:
            raise _refused(name, f"has another value in contents for file {number}")
    return replace(fields, **given)
