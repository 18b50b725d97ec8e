"""A multipart/form-data body of known length, made while it is sent (RFC 7578).

    fields, then files ──> headers and blocks of at most 128 KiB ──> the connection

A file is never held in memory: its blocks are read when the connection accepts them.
"""

import mimetypes
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.ask.failures import WrongUsageError

BLOCK_BYTES = 128 * 1024
ANY_BYTES = "application/octet-stream"
# The built-in table, because the tables of machines differ.
_TYPES_OF_NAMES = mimetypes.MimeTypes()


@dataclass(frozen=True, slots=True)
class FormFilePart:
    """A file to send, with its size in bytes when it was inspected."""

    path: Path
    size_bytes: int

    @property
    def content_type(self) -> str:
        """Return the type by the file's name, for pictures, sound, video and PDFs; the gateway detects other types."""
        named, encoding = _TYPES_OF_NAMES.guess_type(f"file{self.path.suffix}")
        if named is None or encoding is not None:
            return ANY_BYTES
        return named if named.startswith(("image/", "audio/", "video/", "application/pdf")) else ANY_BYTES

    def blocks(self) -> Iterator[bytes]:
        """Yield exactly `size_bytes`, block by block; raises WrongUsageError if the file fails or shrinks."""
        left = self.size_bytes
        try:
            with self.path.open("rb", buffering=0) as file:
                while left > 0:
                    block = file.read(min(left, BLOCK_BYTES))
                    if not block:
                        raise WrongUsageError(f"{self.path} became shorter while it was sent.")
                    left -= len(block)
                    yield block
        except OSError as error:
            raise WrongUsageError(f"{self.path} cannot be read: {error.strerror}.") from None


def look_at(path: Path) -> FormFilePart:
    """Return a file to send; raises WrongUsageError if it is unreadable or has no length."""
    try:
        facts = path.stat()
        # Checked before the file is opened: opening a pipe would wait for its other end.
        if not stat.S_ISREG(facts.st_mode):
            raise WrongUsageError(f"{path} is not a regular file; its length is unknown, so it cannot be sent.")
        with path.open("rb"):
            return FormFilePart(path, facts.st_size)
    except OSError as error:
        raise WrongUsageError(f"{path} cannot be read: {error.strerror}.") from None


class Form:
    """The body: the fields in their order, then each file after its `file_size`. It can be sent several times."""

    def __init__(self, fields: Sequence[tuple[str, str]], files: Sequence[FormFilePart]) -> None:
        self._boundary = secrets.token_hex(16).encode()
        self._fields = b"".join(self._field(name, value) for name, value in fields)
        self._files = [(self._file_head(file), file) for file in files]
        self._end = b"--%s--\r\n" % self._boundary
        self.files_bytes = sum(file.size_bytes for file in files)
        heads = sum(len(head) + len(b"\r\n") for head, _ in self._files)
        self.length = len(self._fields) + heads + self.files_bytes + len(self._end)

    @property
    def content_type(self) -> str:
        """Return the value of Content-Type."""
        return f"multipart/form-data; boundary={self._boundary.decode()}"

    def pieces(self, on_sent: Callable[[int], None]) -> Iterator[bytes]:
        """Yield the body; `on_sent` receives the size of each block of a file once the connection has accepted it."""
        yield self._fields
        for head, file in self._files:
            yield head
            for block in file.blocks():
                yield block
                on_sent(len(block))
            yield b"\r\n"
        yield self._end

    def _field(self, name: str, value: str) -> bytes:
        return self._head(name.encode()) + b"\r\n" + _utf8(name, value) + b"\r\n"

    def _file_head(self, file: FormFilePart) -> bytes:
        kind = b"Content-Type: %s\r\n" % file.content_type.encode()
        name = b'file"; filename="%s' % escaped(file.path.name)
        return self._field("file_size", str(file.size_bytes)) + self._head(name) + kind + b"\r\n"

    def _head(self, name: bytes) -> bytes:
        return b'--%s\r\nContent-Disposition: form-data; name="%s"\r\n' % (self._boundary, name)


def escaped(filename: str) -> bytes:
    """Return a filename escaped as browsers do (HTML standard, multipart/form-data); invalid text becomes `?`."""
    raw = filename.encode(errors="replace")
    return raw.replace(b"\r", b"%0D").replace(b"\n", b"%0A").replace(b'"', b"%22")


def _utf8(name: str, value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise WrongUsageError(f"The {name} is not UTF-8.") from None
