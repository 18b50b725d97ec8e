"""A generate form while it is read: its fields validated, its files taken in, its prompt put in order.

parts ──> fields ──> options, `contents`, earlier turns ──┐
      └─> files ───> intake (held or streamed through) ───┴──> the last turn's parts
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from app.api.forms import FormSpec, FormValues
from app.api.options import MAX_STOPS, OPTION_NAMES, ContentItem, GenerateForm, options_of
from app.api.prompt import Item, Stored, one_of, part_of, read_messages, stored
from app.api.services import Services
from app.errors import FieldError, InvalidFieldError, MalformedRequestError
from app.gemini.request import (
    ENVELOPE_BYTES,
    NO_OPTIONS,
    GenerateRequest,
    MediaOptions,
    Options,
    TextPart,
    Turn,
    part_length,
    turns_length,
)
from app.media.incoming import Claim, Incoming
from app.media.intake import Intake
from app.media.multipart import FormReader, PartHead

SPEC = FormSpec(GenerateForm)
NO_REQUEST_OPTIONS = Options()


async def field_text(head: PartHead, data: AsyncIterator[memoryview], values: FormValues) -> str:
    """Read a field's text, counted against the bound of all fields; raises MalformedRequestError when not UTF-8."""
    raw = bytearray()
    async for piece in data:
        values.count(len(piece))
        raw += piece
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise MalformedRequestError(f"The field {head.name[:60]!r} is not UTF-8.") from error


def media_options(fields: dict[str, Any]) -> MediaOptions:
    """Give the fields of a file as the request's assembly takes them."""
    return MediaOptions(fields.get("start"), fields.get("end"), fields.get("fps"), fields.get("media_resolution"))


class Draft:
    """Reads one form; afterwards gives the items of the prompt, and the request once the files are settled."""

    def __init__(self, services: Services, intake: Intake, query_string: bytes) -> None:
        self._services = services
        self._intake = intake
        self._items: list[Item] = []
        self._turns: Sequence[Turn] = ()
        self._turns_length = 0
        self._earlier: Sequence[Item] = ()
        self._contents: Sequence[ContentItem] | None = None
        self._contents_stored: dict[int, Stored] = {}
        self._contents_of_files: dict[int, ContentItem] = {}
        self._parts_length = 0
        self.values = FormValues(SPEC, query_string, max_bytes=services.settings.max_fields_bytes)
        self.options, self._options_json = NO_REQUEST_OPTIONS, b""
        if query_string:
            self._read_options()
        intake.fixed_bytes = self._fixed_bytes
        if self.values.get("keep_file"):
            intake.keep_all()

    def _read_options(self) -> None:
        if len(self.values.get("stop") or ()) > MAX_STOPS:
            raise _refused("stop", f"may be given at most {MAX_STOPS} times")
        self.options = options_of(self.values.get)
        self._options_json = self.options.json()

    async def read(self, reader: FormReader) -> None:
        """Read the whole form. Raises what is wrong with any field or file, as soon as it is seen."""
        async for head in reader:
            if head.name == "file":
                await self._take_file(head, reader)
            else:
                await self._take_field(head, reader)
        self.values.finish()
        self._order_contents()
        if self.values.get("media_resolution") != self.options.media_resolution:
            # It turned out to be the request's only when no file had followed it.
            self._read_options()
        await self._intake.recheck()
        if not self.items and not self._turns:
            message = "at least one of prompt, file, file_id, contents or messages is needed"
            raise InvalidFieldError(f"The form asks nothing: {message}.", errors=(FieldError("prompt", message),))

    @property
    def items(self) -> list[Item]:
        """The last turn's items in the order of the prompt."""
        return self._items

    @property
    def all_items(self) -> list[Item]:
        """The items of all turns."""
        return [*self._earlier, *self._items]

    def request(self, wrapper: tuple[bytes, bytes] = (b"", b"")) -> GenerateRequest:
        """Give the request, once the files are settled."""
        turns = list(self._turns)
        if self._items:
            turns.append(Turn("user", [part_of(item, self._intake) for item in self._items]))
        return GenerateRequest(turns, self._options_json, wrapper)

    async def _take_file(self, head: PartHead, reader: FormReader) -> None:
        fields = dict(self.values.take_of_file())
        number = len(self._intake.files)
        item = self._content_of_file(number)
        if item is not None:
            given = item.model_dump(exclude_none=True, exclude={"text", "file", "file_id"})
            for name, value in given.items():
                if fields.setdefault(name, value) != value:
                    raise _refused(name, f"stands in contents with another value for file {number}")
        size = fields.get("file_size", head.content_length)
        if head.content_length is not None and size != head.content_length:
            raise _refused("file_size", f"says {size}, but the part's own Content-Length says {head.content_length}")
        incoming = await self._intake.take(
            reader.data(),
            filename=head.filename,
            declared=head.content_type,
            claim=Claim(size, fields.get("sha256")),
            options=media_options(fields),
        )
        if incoming is not None and self._contents is None:
            self._items.append(incoming)

    def _content_of_file(self, number: int) -> ContentItem | None:
        return self._contents_of_files.get(number)

    async def _take_field(self, head: PartHead, reader: FormReader) -> None:
        text = await field_text(head, reader.data(), self.values)
        is_first = self.values.get(head.name) is None
        value = self.values.take(head.name, text)
        if value is None:
            return
        if head.name in {"prompt", "file_id"}:
            await self._take_item(head.name, text)
        elif head.name == "keep_file" and value is True:
            self._intake.keep_all()
        elif head.name == "messages":
            self._turns, self._earlier = await read_messages(self._services, self.values.get("messages"))
            self._turns_length = turns_length(self._turns)
        elif head.name == "contents" and is_first:
            await self._take_contents()
        elif head.name in OPTION_NAMES and (is_first or head.name == "stop"):
            self._read_options()
        await self._intake.recheck()

    async def _take_item(self, name: str, text: str) -> None:
        if self._contents is not None:
            raise _refused(name, "is not taken beside contents, which gives the whole order")
        item: Item = text
        if name == "file_id":
            item = await stored(self._services, text, media_options(dict(self.values.take_of_file())))
        self._items.append(item)
        self._parts_length += part_length(part_of(item, None)) + 1

    async def _take_contents(self) -> None:
        if any(not isinstance(item, Incoming) for item in self._items):
            raise _refused("contents", "gives the whole order: send no prompt or file_id beside it")
        self._contents = self.values.get("contents") or ()
        for at, item in enumerate(self._contents):
            kind = one_of({"text": item.text, "file": item.file, "file_id": item.file_id}, f"contents[{at}]")
            if kind == "text":
                self._parts_length += part_length(TextPart(item.text or "")) + 1
            elif kind == "file_id":
                self._contents_stored[at] = await stored(self._services, item.file_id or "", item.media_options())
                self._parts_length += part_length(self._contents_stored[at].part()) + 1
            elif self._contents_of_files.setdefault(item.file or 0, item) is not item:
                raise _refused(f"contents[{at}].file", f"names file {item.file} a second time")
        for file in self._intake.files:
            item_of_file = self._content_of_file(file.index)
            if item_of_file is not None and file.options == NO_OPTIONS:
                self._intake.set_options(file, item_of_file.media_options())

    def _order_contents(self) -> None:
        if self._contents is None:
            return
        files = self._intake.files
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
            raise _refused("contents", f"leaves out {left[0]}: every file of the form must have an item")

    def _fixed_bytes(self) -> int:
        parts = self._parts_length + len(self._intake.files)
        # Without a last turn, neither its hull nor the commas between its parts are written.
        return ENVELOPE_BYTES + len(self._options_json) + self._turns_length + max(0, parts - 1)


def _refused(name: str, message: str) -> InvalidFieldError:
    return InvalidFieldError(f"{name}: {message}.", errors=(FieldError(name, message),))
