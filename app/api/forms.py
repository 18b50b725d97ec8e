"""A form's fields, from one pydantic model: the parser's validation and the document's schema have the same source.

Fields are validated as they come. A field of a file (`file_size`, `start`, ...) is kept until its file comes. An option
may stand in the query string instead.
"""

import difflib
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from app.edge.query import RequestQuery
from app.errors import FieldError, FieldsTooLargeError, InvalidFieldError
from app.gemini.request import MediaOptions
from app.media.incoming import Claim

MAX_SHOWN_CHARS = 60
MAX_PATH_CHARS = 200
MAX_ERRORS = 20
MAX_FINDINGS = 1_000
FREE_TEXT = frozenset({"prompt", "system_instruction", "contents", "messages", "metadata", "response_schema", "stop"})
"""Fields whose value is the client's content: no error shows it."""
PARTS_ONLY = frozenset({"prompt", "file", "file_id", "contents", "messages"})
"""What makes up the prompt: its order is that of the parts, so it has no place in the query."""


@dataclass(frozen=True, slots=True)
class FormField:
    """One field: how a value of it is read, whether it may repeat, and whether it belongs to a file."""

    name: str
    adapter: TypeAdapter[Any]
    is_repeatable: bool
    of_file: "OfFile | None"

    def read(self, value: str) -> object:
        """Read one value; raises InvalidFieldError, which names the field and what is allowed."""
        try:
            return self.adapter.validate_python(value)
        except ValidationError as error:
            raise invalid(error, self.name, value) from None


def invalid(error: ValidationError, field: str, value: str | None) -> InvalidFieldError:
    """Turn pydantic's findings into the problem that names each field by its path."""
    if error.error_count() > MAX_FINDINGS:
        message = f"has {error.error_count()} errors"
        return _refused(field or "body", message)
    found = []
    for item in error.errors(include_url=False, include_input=False)[:MAX_ERRORS]:
        path = "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        found.append(FieldError((field + path).lstrip(".")[:MAX_PATH_CHARS], message, received=shown(field, value)))
    return InvalidFieldError(f"{found[0].field}: {found[0].message}.", errors=tuple(found))


def shown(field: str, value: str | None) -> str | None:
    """Give what an error may show of a value: short, and nothing of a prompt."""
    if value is None or field in FREE_TEXT:
        return None if value is None else f"{len(value)} characters"
    return value if len(value) <= MAX_SHOWN_CHARS else value[:MAX_SHOWN_CHARS] + "..."


@dataclass(frozen=True, slots=True)
class OfFile:
    """Marks a field of the form's model that belongs to the file which follows it.

    `is_option_too`: where no file follows, or in the query, it is an option of the whole request; `not_as_option` is
    the value that it cannot have then.
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
    """The fields that stood before a file: its claims, and how Gemini is to read it. Times are seconds."""

    file_size: int | None = None
    sha256: str | None = None
    start: float | None = None
    end: float | None = None
    fps: float | None = None
    media_resolution: str | None = None

    @property
    def claim(self) -> Claim:
        """Return the claims that came after their file."""
        return Claim(self.file_size, self.sha256)

    def media_options(self) -> MediaOptions:
        """Return the fields that go into Gemini's request."""
        return MediaOptions(self.start, self.end, self.fps, self.media_resolution)


F = TypeVar("F", bound=BaseModel)


class FormSpec(Generic[F]):
    """The fields of one operation's form. `file` is not among them: its parts are files."""

    def __init__(self, model: type[F]) -> None:
        self.model = model
        self.fields = {name: _field(name, info) for name, info in model.model_fields.items() if name != "file"}

    def find(self, name: str) -> FormField:
        """Find a field by its name; raises InvalidFieldError with the nearest known one."""
        field = self.fields.get(name)
        if field is None:
            raise InvalidFieldError(
                f"There is no field {name[:MAX_SHOWN_CHARS]!r} here.{self._nearest(name)}",
                errors=(
                    FieldError(name[:MAX_SHOWN_CHARS], "unknown field", allowed=", ".join(["file", *self.fields])),
                ),
            )
        return field

    def _nearest(self, name: str) -> str:
        near = difflib.get_close_matches(name[:MAX_SHOWN_CHARS], ["file", *self.fields], n=1)
        return f" Did you mean {near[0]!r}?" if near else ""


class FormValues(Generic[F]):
    """The values of one form as they come: the query's first, then the parts'."""

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
        for raw_name, value in query.pairs:
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

    def count(self, size_bytes: int) -> None:
        """Count bytes of fields; raises FieldsTooLargeError beyond the limit for all of them together."""
        self._size += size_bytes
        if self._size > self._max_bytes:
            raise FieldsTooLargeError(
                f"The form's fields take more than {self._max_bytes} bytes together. Send the long text as a text "
                "file: a file part of type text/plain."
            )

    def take(self, name: str, value: str) -> object | None:
        """Take one field's value in and give it as read; an empty one is no field: None."""
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
        """Return the fields that stood before the file that has just come; they hold for that file alone."""
        fields, self._of_file = self._of_file, {}
        return FieldsOfFile(**fields)

    @property
    def form(self) -> F:
        """Return the form as far as it has come, with defaults for the other fields. Each value has been validated."""
        if self._form is None:
            self._form = self._spec.model.model_construct(**{**self._query, **self._parts})
        return self._form

    def finish(self) -> F:
        """Return the whole form; raises InvalidFieldError for a fault that only the form's end shows."""
        for name, value in self._of_file.items():
            field = self._spec.fields[name]
            if field.of_file is None or not field.of_file.is_option_too:
                raise _refused(name, "stands before no file; send it before the file that it belongs to")
            _check_option(field, value)
            # The model declares a field of a file as a list, since each file may have its own.
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
        _once(values, field.name, [value])


def _once(values: dict[str, Any], name: str, value: object) -> None:
    if values.setdefault(name, value) != value:
        raise _twice(name)


def _check_option(field: FormField, value: object) -> None:
    if field.of_file is not None and value == field.of_file.not_as_option:
        raise _refused(field.name, f"{value} is for single files: send it before the file that it belongs to")


def _twice(name: str) -> InvalidFieldError:
    return _refused(name, "came twice with different values; send it once")


def _refused(name: str, message: str) -> InvalidFieldError:
    return InvalidFieldError(f"{name}: {message}.", errors=(FieldError(name, message),))
