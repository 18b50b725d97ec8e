"""The push parser of multipart/form-data (RFC 7578): pieces of a body in, headers and data of parts out.

    line that is no boundary ──> data
    boundary ──> headers, up to the empty line ──> data ──> boundary ──> ... ──> closing boundary ──> rest ignored

The parser searches instead of visiting each byte, and reads headers as a block. For a small form, python-multipart's
own parser, with a callback per word of a header, took a tenth of the whole call. An incomplete header or boundary is
held until the next piece, so the result never depends on where the network cut. This module does not know the meaning
of fields.
"""

from collections import deque
from collections.abc import Callable

from app.errors import FieldError, InvalidFieldError, MalformedRequestError
from app.media.part_heads import MAX_HEADER_BYTES, MAX_HEADERS, PartHead, headers_too_large, part_head

# Text before the first boundary is skipped (RFC 2046, section 5.1.1), but a body without any boundary must not be read
# to its end.
MAX_PREAMBLE_BYTES = 8_192

# The event after a part's data.
PART_END = object()

_LINE_END = b"\r\n"
_HEAD_END = b"\r\n\r\n"
_CLOSING = b"--"
_CARRIAGE_RETURN = 13
_PADDING = b" \t"

# A part's headers, a piece of its data, or `PART_END`.
Event = PartHead | memoryview | object


class PartParser:
    """Parses the pieces passed to `feed` into `events`; `is_ended` is true after the closing boundary."""

    def __init__(self, boundary: bytes, *, max_parts: int) -> None:
        self.events: deque[Event] = deque()
        self.is_ended = False
        # Searched without the carriage return, so that a boundary after a bare line feed is noticed.
        self._boundary_line = b"\n--" + boundary
        # A virtual line end before the body, so that the first boundary is found like every other.
        self._held = _LINE_END
        # A plain function, because a bound method would make a cycle that keeps a form's bytes until garbage
        # collection.
        self._read: Callable[[PartParser, bytes, int], int] = PartParser._read_data
        self._max_parts = max_parts
        self._parts = 0
        self._preamble_bytes = 0

    def feed(self, piece: bytes) -> None:
        """Parse a piece. Raises MalformedRequestError if it is no form, InvalidFieldError for too many parts."""
        data, self._held = self._held + piece, b""
        at = 0
        while at < len(data):
            at = self._read(self, data, at)

    # Each reader continues at a place in the data and returns the place at which the next reader continues.

    def _read_data(self, data: bytes, at: int) -> int:
        line = self._boundary_line
        found = data.find(line, at)
        while found >= 0:
            after = found + len(line)
            start = found - (found > at and data[found - 1] == _CARRIAGE_RETURN)
            follows = data[after : after + 2]
            is_boundary = follows in {_LINE_END, _CLOSING}
            if start < found and (is_boundary or follows[:1] in {b" ", b"\t"}):
                self._give(data, at, start)
                if self._parts:
                    self.events.append(PART_END)
                return self._begin_part(after) if follows == _LINE_END else self._read_rest_of_line(data, after)
            if is_boundary or (follows[:1] == b"\n" and not self._parts):
                raise _bare_line_feed()
            if follows in {b"", b"\r", b"-"}:
                # The next piece decides whether this is a boundary.
                found = start
                break
            if not self._parts:
                # A damaged boundary, whose part must not count as text before the form.
                raise _no_form()
            found = data.find(line, found + 1)
        else:
            found = self._unsure(data, at)
        self._give(data, at, found)
        self._held = data[found:]
        return len(data)

    def _unsure(self, data: bytes, at: int) -> int:
        """Return the place at which a boundary may have begun, the end of the data without such a place."""
        # A boundary's first byte is its only line feed.
        found = data.rfind(b"\n", max(at, len(data) - len(self._boundary_line)))
        if found >= 0 and self._boundary_line.startswith(data[found:]):
            return found - (found > at and data[found - 1] == _CARRIAGE_RETURN)
        return len(data) - data.endswith(b"\r")

    def _give(self, data: bytes, start: int, end: int) -> None:
        if start >= end:
            return
        if self._parts:
            self.events.append(memoryview(data)[start:end])
            return
        self._preamble_bytes += end - start
        if self._preamble_bytes > MAX_PREAMBLE_BYTES:
            raise _no_form()

    def _begin_part(self, at: int) -> int:
        self._parts += 1
        if self._parts > self._max_parts:
            raise InvalidFieldError(
                f"The form has more than {self._max_parts} parts.",
                errors=(FieldError("form", "Send fewer parts.", allowed=str(self._max_parts)),),
            )
        self._read = PartParser._read_head
        return at

    def _read_rest_of_line(self, data: bytes, at: int) -> int:
        if data.startswith(_CLOSING, at):
            self.is_ended = True
            self._read = PartParser._drop
            return len(data)
        # Only spaces may follow a boundary in its line (RFC 2046, section 5.1.1).
        rest = data[at:].lstrip(_PADDING)
        if rest.startswith(_LINE_END):
            return self._begin_part(len(data) - len(rest))
        if rest not in {b"", b"\r"}:
            raise _no_form()
        self._held = rest
        self._read = PartParser._read_rest_of_line
        return len(data)

    def _read_head(self, data: bytes, at: int) -> int:
        # The line end of the boundary counts, so that a part without headers ends in the same way.
        end = data.find(_HEAD_END, at)
        if end < 0:
            self._held = data[at:]
            last_line = data.rfind(_LINE_END) + len(_LINE_END)
            # The next piece may bring the rest of a line end.
            if (
                len(data.removesuffix(b"\r")) - last_line > MAX_HEADER_BYTES
                or data.count(_LINE_END, at) > MAX_HEADERS + 1
            ):
                raise headers_too_large()
            return len(data)
        self.events.append(part_head(data[at + len(_LINE_END) : end]))
        self._read = PartParser._read_data
        return end + len(_HEAD_END)

    def _drop(self, data: bytes, _at: int) -> int:
        return len(data)


def _no_form() -> MalformedRequestError:
    return MalformedRequestError("The body is not a form with the boundary that Content-Type names.")


def _bare_line_feed() -> MalformedRequestError:
    return MalformedRequestError(
        "A boundary of the form stands after or before a bare line feed. Each boundary is a line of its own between "
        "CRLF line ends; without the CRLF a part would swallow the next part."
    )
