"""The reader of forms: a form that is cut anywhere is read, or refused, like the whole form."""

from collections.abc import AsyncIterator, Sequence

from app.api.form_reader import FormFile, read_form
from app.api.forms import FormValues
from app.api.prompt_form import SPEC
from app.errors import GatewayError
from app.media.multipart import FormReader, boundary_of
from app.request.query import NO_QUERY
from tests.fuzz.cutting import cuttings, finished

BOUNDARY = b"frontier"
MAX_FIELDS_BYTES = 4_096
WORDS = (
    b"--frontier\r\n", b"\r\n--frontier\r\n", b"\r\n--frontier--", b"--frontier", b"\r\n\r\n", b"\r\n", b"; ",
    b"Content-Disposition: form-data; name=", b"Content-Type: ", b"Content-Length: ", b'"prompt"', b'"file"',
    b"Content-Transfer-Encoding: ", b"filename*=utf-8''", b'filename="', b'"temperature"', b'"sha256"', b"%22",
)  # fmt: skip


class _Handler:
    """Keeps the parts in the order of their arrival."""

    def __init__(self) -> None:
        self.parts: list[object] = []

    async def take_file(self, file: FormFile) -> None:
        """Keep a file."""
        data = b"".join([bytes(piece) async for piece in file.data])
        self.parts.append((file.filename, file.declared_mime_type, file.claim, data))

    async def take_field(self, name: str, text: str) -> None:
        """Keep a field."""
        self.parts.append((name, text))


def run(data: bytes) -> None:
    """Read one form in several cuts; the part before its first NUL byte is a Content-Type of its own."""
    content_type, _, rest = data.partition(b"\0")
    try:
        boundary = boundary_of(content_type.decode("latin-1"))
    except GatewayError:
        boundary = BOUNDARY
    body, ways = cuttings(rest)
    whole = _read([body], boundary)
    for pieces in ways:
        assert _read(pieces, boundary) == whole, pieces


def _read(pieces: Sequence[bytes], boundary: bytes) -> object:
    handler = _Handler()
    values = FormValues(SPEC, NO_QUERY, max_bytes=MAX_FIELDS_BYTES)
    try:
        form = finished(read_form(FormReader(_arriving(pieces), boundary, max_parts=20), values, handler))
    except GatewayError:
        # Which of two errors is found first depends on how much of the form has come.
        return None
    assert len(repr(handler.parts)) <= 4 * sum(map(len, pieces)) + 500 * len(handler.parts) + 10
    return handler.parts, form


async def _arriving(pieces: Sequence[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
