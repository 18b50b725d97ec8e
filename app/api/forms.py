"""The fields of a form, from one pydantic model: validation and the OpenAPI schema have the same source.

Fields are validated as they arrive. A field of a file (`file_size`, `start`, ...) is kept until its file arrives.
Options may also be in the query string.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from app.api.field_errors import MAX_SHOWN_CHARS, field_error, nearest
from app.errors import FieldError, FieldsTooLargeError, InvalidFieldError
from app.gemini.request import MediaOptions
from app.media.claims import Claim
from app.request.query import RequestQuery

MAX_ERRORS = 20
MAX_FINDINGS = 1_000
# Fields whose value is the client's content; no error shows it.
FREE_TEXT = frozenset({"prompt", "system_instruction", "contents", "messages", "metadata", "response_schema", "stop"})
# Names under which other APIs and libraries send files.
_FILE_NAMES = re.compile(
    r"(files?|images?|photos?|pictures?|videos?|audios?|uploads?|attachments?|documents?|media)(\[[0-9]*\])?",
    re.IGNORECASE,
)
# The parts of the prompt: their order is that of the form, so they cannot be in the query.
PARTS_ONLY = frozenset({"prompt", "file", "file_id", "contents", "messages"})


@dataclass(frozen=True, slots=True)
class FormField:
    """A field: the parsing of its value, whether it may repeat, and whether it belongs to a file."""

    name: str
    adapter: TypeAdapter[Any]
    is_repeatable: bool
    of_file: "OfFile | None"

    def read(self, value: str) -> object:
        """Return a parsed value; raises InvalidFieldError, which names the field and the allowed values."""
        try:
            return self.adapter.validate_python(value)
        except ValidationError as error:
            raise invalid(error, self.name, value) from None


def invalid(error: ValidationError, field: str, value: str | None) -> InvalidFieldError:
    """Return the problem for pydantic's errors; it names each field by its path."""
    # Listing thousands of errors would cost more than reading the request.
    if error.error_count() > MAX_FINDINGS:
        message = f"has {error.error_count()} errors"
        return _refused(field or "body", message)
    items = error.errors(include_url=False, include_input=False)[:MAX_ERRORS]
    return invalid_fields([field_error(item, field, shown(field, value)) for item in items])


def invalid_fields(found: Sequence[FieldError]) -> InvalidFieldError:
    """Return the problem for the errors of fields, of which there is at least one."""
    first = found[0]
    end = "" if first.message.endswith("?") else "."
    return InvalidFieldError(f"{first.field or 'body'}: {first.message}{end}", errors=tuple(found))


def unknown_after(after: str) -> InvalidFieldError:
    """Return the problem for a page that begins after an item that is not in the list."""
    message = "is not the id of an item of this list; take `next` of the page before"
    return InvalidFieldError(
        f"after: {message}.", errors=(FieldError("after", message, received=after[:MAX_SHOWN_CHARS]),)
    )


def shown(field: str, value: str | None) -> str | None:
    """Return the part of a value that an error may show: short, and nothing of a prompt."""
    if value is None or field in FREE_TEXT:
        return None if value is None else f"{len(value)} characters"
    return value if len(value) <= MAX_SHOWN_CHARS else value[:MAX_SHOWN_CHARS] + "..."


@dataclass(frozen=True, slots=True)
class OfFile:
    """Marks a field of the form's model that belongs to the file after it.

    `is_option_too`: without a following file, or in the query, the field is an option of the whole request;
    `not_as_option` is the value that it cannot have then.
    """

    is_option_too: bool = False
    not_as_option: str | None = None


def _field(name: str, info: FieldInfo) -> FormField:
    annotation: Any = info.annotation
    metadata = [item for item in info.metadata if not isinstance(item, OfFile)]
    is_repeatable = get_origin(annotation) is list
    if is_repeatable:
        annotation = get_args(annotation)[0]
    elif metadata:
        annotation = Annotated[(annotation, *metadata)]
    of_file = next((item for item in info.metadata if isinstance(item, OfFile)), None)
    return FormField(name, TypeAdapter(annotation), is_repeatable, of_file)


@dataclass(frozen=True, slots=True)
class FieldsOfFile:
    """The fields before a file: its claims, its text's codec, and Gemini's options for it. Times are in seconds."""

    file_size: int | None = None
    sha256: str | None = None
    charset: str | None = None
    start: float | None = None
    end: float | None = None
    fps: float | None = None
    media_resolution: str | None = None

    @property
    def claim(self) -> Claim:
        """Return the claims that arrived after their file."""
        return Claim(self.file_size, self.sha256)

    def media_options(self) -> MediaOptions:
        """Return the fields that go into Gemini's request."""
        return MediaOptions(self.start, self.end, self.fps, self.media_resolution)


F = TypeVar("F", bound=BaseModel)


class FormSpec(Generic[F]):
    """The fields of one operation's form, without `file`, whose parts are files."""

    def __init__(self, model: type[F]) -> None:
        self.model = model
        self.fields = {name: _field(name, info) for name, info in model.model_fields.items() if name != "file"}

    def find(self, name: str, *, is_file: bool = False) -> FormField:
        """Return a field by its name; raises InvalidFieldError with the nearest known name, for a file with `file`."""
        field = self.fields.get(name)
        if field is None:
            hint = ". Files go as 'file'." if is_file or _names_a_file(name) else nearest(name, ["file", *self.fields])
            raise InvalidFieldError(
                f"There is no field {name[:MAX_SHOWN_CHARS]!r} here{hint or '.'}",
                errors=(
                    FieldError(name[:MAX_SHOWN_CHARS], "unknown field", allowed=", ".join(["file", *self.fields])),
                ),
            )
        return field


class FormValues(Generic[F]):
    """The values of one form as they arrive: the query's first, then the parts'."""

    def __init__(self, spec: FormSpec[F], query: RequestQuery, *, max_bytes: int) -> None:
        self._spec = spec
        self._max_bytes = max_bytes
        self._size = 0
        self._of_file: dict[str, Any] = {}
        self._parts: dict[str, Any] = {}
        self._query: dict[str, Any] = {}
        self._form: F | None = None
        self._take_query(query)

    def _take_query(self, query: RequestQuery) -> None:
        for raw_name, value in query.without_credentials():
            # Some clients write repeated parameters as `stop[]`.
            name = raw_name.removesuffix("[]")
            if name in PARTS_ONLY and value:
                raise _refused(name, "must be a part of the form, not in the query")
            field = self._spec.find(name)
            if field.of_file is not None and not field.of_file.is_option_too:
                raise _refused(name, "belongs to a file: send it as a part before that file")
            if value:
                read = field.read(value)
                _check_option(field, read)
                _set(self._query, field, read)

    def check_name(self, name: str, *, is_file: bool) -> None:
        """Raise InvalidFieldError for a part that the form does not have; `is_file` if the part has a filename."""
        self._spec.find(name, is_file=is_file)

    def count(self, size_bytes: int) -> None:
        """Count bytes of fields; raises FieldsTooLargeError if the fields together exceed their limit."""
        self._size += size_bytes
        if self._size > self._max_bytes:
            raise FieldsTooLargeError(
                f"The fields of the form have more than {self._max_bytes} bytes together. Send the long text as a text "
                "file: a file part of type text/plain."
            )

    def take(self, name: str, value: str) -> object | None:
        """Store the value of a field and return it parsed; None for an empty value, which counts as absent."""
        field = self._spec.find(name)
        if not value:
            return None
        read = field.read(value)
        if field.of_file is not None:
            _once(self._of_file, field.name, read)
        else:
            _set(self._parts, field, read)
            self._form = None
            if not field.is_repeatable and self._query.get(name, read) != read:
                raise _twice(name)
        return read

    def take_of_file(self) -> FieldsOfFile:
        """Return the fields before the file that has just arrived; they apply to this file only."""
        fields, self._of_file = self._of_file, {}
        return FieldsOfFile(**fields)

    @property
    def form(self) -> F:
        """Return the form as read so far, with defaults for missing fields. Each value is valid."""
        if self._form is None:
            # Every value was validated on arrival; validating the model again would cost time for nothing.
            self._form = self._spec.model.model_construct(**{**self._query, **self._parts})
        return self._form

    def finish(self) -> F:
        """Return the whole form; raises InvalidFieldError for an error that shows only at the form's end."""
        for name, value in self._of_file.items():
            field = self._spec.fields[name]
            if field.of_file is None or not field.of_file.is_option_too:
                raise _refused(name, "has no file after it; send the field before the file that it belongs to")
            _check_option(field, value)
            # The model declares a field of a file as a list, because each file may have its own value.
            if self._query.get(name, [value]) != [value]:
                raise _twice(name)
            self._parts[name] = [value]
        for name, value in self._query.items():
            if self._parts.get(name, value) != value:
                raise _twice(name)
        self._form = None
        return self.form


def _set(values: dict[str, Any], field: FormField, value: object) -> None:
    if not field.is_repeatable:
        _once(values, field.name, value)
    elif field.of_file is None:
        values.setdefault(field.name, []).append(value)
    else:
        # The model declares a field of a file as a list, but in the query it is one option of the whole request.
        _once(values, field.name, [value])


def _once(values: dict[str, Any], name: str, value: object) -> None:
    if values.setdefault(name, value) != value:
        raise _twice(name)


def _check_option(field: FormField, value: object) -> None:
    if field.of_file is not None and value == field.of_file.not_as_option:
        raise _refused(field.name, f"{value} is for single files: send it before the file that it belongs to")


def _twice(name: str) -> InvalidFieldError:
    return _refused(name, "is given twice with different values; send it once")


def _names_a_file(name: str) -> bool:
    return _FILE_NAMES.fullmatch(name) is not None


def _refused(name: str, message: str) -> InvalidFieldError:
    return InvalidFieldError(f"{name}: {message}.", errors=(FieldError(name, message),))
