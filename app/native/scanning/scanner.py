"""A strict scanner of one JSON document that comes in pieces: bytes go through, strings that may refer are held.

    feed(piece) ──> [bytes, Found, bytes, ...]      in order; with the Founds' own bytes in place, it is the input

Strict as RFC 8259 is, since the parser behind may be lenient: what two parsers could read differently is refused.
Memory is flat: of free text and media nothing is held, of any other string at most 8 KiB.
"""

import codecs
import re
from dataclasses import dataclass, field
from enum import IntEnum

import orjson

from app.errors import ForbiddenError, MalformedRequestError
from app.native.scanning.policy import POLICIES, Policy, Role, fold
from app.native.scanning.references import LONGEST, Meaning, Unusable, Url, UrlKind, classify

MAX_DEPTH = 100
"""As many levels as Google's parser takes."""
MAX_KEY_BYTES = 1_024
MAX_SCALAR_BYTES = 400
MAX_NAMES = 10_000
MAX_KNOWN = 2_000
"""How many names are remembered, whatever clients send."""
LONG_RUN = 256


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model's name, as the client gives it."""

    name: str


@dataclass(frozen=True, slots=True)
class Handle:
    """Something stored that an opaque string stands for."""

    value: str


@dataclass(frozen=True, slots=True)
class Found:
    """A string to be resolved before it goes on: its bytes with their quotes, its text, what it means, its name."""

    raw: bytes
    text: str
    what: Meaning | ModelName | Handle
    key: str


Segment = bytes | Found


@dataclass(slots=True)
class Facts:
    """What was seen on the way: how much text and media, and what bears on cost. Lengths are bytes as written."""

    text_bytes: int = 0
    media_bytes: dict[str, int] = field(default_factory=dict)
    """Base64 of inline media, by MIME type in lower case ("" where none was given)."""
    media_count: dict[str, int] = field(default_factory=dict)
    max_output_tokens: int | None = None
    candidates: int = 1
    service_tier: str | None = None
    stream: bool | None = None
    store: bool | None = None
    is_background: bool = False


class _At(IntEnum):
    VALUE = 0
    FIRST_VALUE = 1
    KEY = 2
    FIRST_KEY = 3
    AFTER = 4
    TEXT = 5
    END = 6


@dataclass(slots=True)
class _Frame:
    """An open object or array; `role` is that of the value that comes next, `names` those that an object has had."""

    is_object: bool
    is_free: bool
    names: set[str] | None
    role: Role = Role.SCANNED
    key: str = ""
    mime_type: str = ""
    media_bytes: int = 0


_STRING = re.compile(rb'"([^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*)"')
_KEY = re.compile(
    rb'[ \t\n\r]*"([^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*)"[ \t\n\r]*:[ \t\n\r]*'
)
_UNENDED = re.compile(
    rb'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*(?:\\u?[0-9a-fA-F]{0,3})?\Z'
)
_UNENDED_KEY = re.compile(
    rb'[ \t\n\r]*(?:"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*'
    rb'(?:(?:\\u?[0-9a-fA-F]{0,3})?|"[ \t\n\r]*))?\Z'
)
_SCALAR = re.compile(rb"(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)(?=[ \t\n\r,\]}])")
_LAST_SCALAR = re.compile(rb"(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)\Z")
_UNENDED_SCALAR = re.compile(rb"[-+.0-9a-zA-Z]*\Z")
_SPACE = re.compile(rb"[ \t\n\r]*")
_RUN = re.compile(rb'[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*')
_UNENDED_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_CONTROL = bytes(1 if code < 32 else 0 for code in range(256))
_FREE = frozenset({Role.TEXT, Role.TEXTS, Role.DATA, Role.TREE})
_INHERITED = frozenset({Role.TREE, Role.TEXTS, Role.MODEL, Role.HANDLE, Role.WORD})
"""What stands in a list is what the list is, in these roles."""
_TOLD = frozenset({Role.NUMBER, Role.FLAG})
_QUOTE, _BRACE, _BRACKET, _END_BRACE, _END_BRACKET, _COMMA, _SPACE_CODE = b'"{[}], '
_OPENING = (_BRACE, _BRACKET)
_VALUE, _FIRST_VALUE, _KEY_NEXT, _FIRST_KEY, _AFTER, _TEXT, _END = _At
_SCANNED, _TREE, _CLOSED, _DATA = Role.SCANNED, Role.TREE, Role.CLOSED, Role.DATA
"""Bound once: a look-up for every token would cost more than the comparison."""
_NO_NAME = "a name in quotes and a colon are missing, or the name is too long"


class JsonScanner:
    """Scans one document. `bases` are the gateway's own addresses. After an error it is of no use any more."""

    def __init__(self, policy: Policy, bases: tuple[str, ...] = ()) -> None:
        self.facts = Facts()
        self._policy = policy
        self._bases = bases
        self._stack: list[_Frame] = []
        self._at = _VALUE
        self._held = b""
        self._text_bytes = 0
        self._is_data = False
        self._offset = 0
        self._decoder: codecs.IncrementalDecoder | None = None
        """There is one from the first piece on that is not ASCII."""

    # What comes and goes

    def feed(self, piece: bytes) -> list[Segment]:
        """Take a piece in; gives what may go on.

        Raises MalformedRequestError, and ForbiddenError for what is closed.
        """
        if self._decoder is not None or not piece.isascii():
            self._decode(piece)
        data = self._held + piece if self._held else piece
        segments: list[Segment] = []
        sent = position = 0
        size = len(data)
        while position < size:
            if self._at is _TEXT:
                position, is_whole = self._text(data, position)
                if not is_whole:
                    break
                continue
            start = position
            first = data[start]
            if first <= _SPACE_CODE:
                start = _SPACE.match(data, start).end()  # type: ignore[union-attr]  # it matches always
                if start == size:
                    position = start
                    break
                first = data[start]
            after = self._step(data, start, first)
            if isinstance(after, int):
                position = after
            elif after is None:
                position = start
                break
            else:
                if sent < start:
                    segments.append(data[sent:start])
                segments.append(after)
                sent = position = start + len(after.raw)
        if sent < position:
            segments.append(data if sent == 0 and position == size else data[sent:position])
        self._held = data[position:]
        self._offset += position
        return segments

    def end(self) -> list[Segment]:
        """Say that nothing more comes; gives what was held. Raises MalformedRequestError when it is not whole."""
        if self._decoder is not None:
            self._decode(b"", is_last=True)
        held = self._held
        if self._at is _VALUE and not self._stack and held and _LAST_SCALAR.fullmatch(held):
            self._at = _END
            return [held]
        if self._at is not _END or held:
            raise self._wrong("it ends before it is whole", 0)
        return []

    def _decode(self, piece: bytes, *, is_last: bool = False) -> None:
        decoder = self._decoder = self._decoder or codecs.getincrementaldecoder("utf-8")("strict")
        try:
            decoded = decoder.decode(piece, is_last)
        except UnicodeDecodeError:
            raise MalformedRequestError("The JSON is not valid UTF-8.") from None
        if self._offset == 0 and not self._held and decoded.startswith("\ufeff"):
            raise MalformedRequestError("The JSON begins with a byte order mark; leave it out.")

    # One token, and what mostly follows it: each of its own would cost more than what is done for it

    def _step(self, data: bytes, start: int, first: int) -> "int | Found | None":  # noqa: PLR0911  # one for each case
        """Take what is at `start`; gives where it ends, what was found, or None when it is not whole yet."""
        at = self._at
        if at is _AFTER:
            frame = self._stack[-1]
            if first == (_END_BRACE if frame.is_object else _END_BRACKET):
                return self._close(data, start)
            if first != _COMMA:
                raise self._wrong("a comma or an end is missing", start)
            if not frame.is_object:
                self._at = _VALUE
                return start + 1
            self._at = _KEY_NEXT
            match = _KEY.match(data, start + 1)
            return start + 1 if match is None else self._named(data, match, frame)
        if first == _QUOTE and (at is _VALUE or at is _FIRST_VALUE):
            return self._string(data, start)
        if at is _KEY_NEXT or (at is _FIRST_KEY and first != _END_BRACE):
            return self._key(data, start)
        if first in _OPENING and (at is _VALUE or at is _FIRST_VALUE):
            return self._open(data, start, is_object=first == _BRACE)
        return self._other(data, start, first)

    def _other(self, data: bytes, start: int, first: int) -> int | None:
        at = self._at
        if at is _END:
            raise self._wrong("something follows the document", start)
        if at is _FIRST_KEY or (at is _FIRST_VALUE and first == _END_BRACKET):
            return self._close(data, start)
        return self._scalar(data, start)

    def _open(self, data: bytes, start: int, *, is_object: bool) -> int:
        stack = self._stack
        if len(stack) >= MAX_DEPTH:
            raise self._wrong(f"it has more than {MAX_DEPTH} levels", start)
        parent = stack[-1] if stack else None
        if parent is None:
            role, is_free = Role.SCANNED, False
        else:
            role = parent.role
            is_free = parent.is_free or role is _TREE
            if role is _CLOSED:
                raise self._closed(parent)
        frame = _Frame(is_object, is_free, set() if is_object and not is_free else None)
        stack.append(frame)
        if is_object:
            self._at = _FIRST_KEY
            match = _KEY.match(data, start + 1)
            return start + 1 if match is None else self._named(data, match, frame)
        self._at = _FIRST_VALUE
        if parent is not None:
            # What stands in a list has the list's name.
            frame.key = parent.key
            frame.role = role if role in _INHERITED else Role.SCANNED
        start += 1
        if start < len(data) and data[start] in _OPENING:
            return self._open(data, start, is_object=data[start] == _BRACE)
        return start

    def _close(self, data: bytes, start: int) -> int:
        stack = self._stack
        while True:
            frame = stack.pop()
            if frame.media_bytes:
                facts, kind = self.facts, frame.mime_type
                facts.media_bytes[kind] = facts.media_bytes.get(kind, 0) + frame.media_bytes
                facts.media_count[kind] = facts.media_count.get(kind, 0) + 1
            start += 1
            if not stack:
                self._at = _END
                return start
            # What has ended mostly ends what it stands in.
            if start == len(data) or data[start] != (_END_BRACE if stack[-1].is_object else _END_BRACKET):
                self._at = _AFTER
                return start

    def _key(self, data: bytes, start: int) -> int | None:
        match = _KEY.match(data, start)
        if match is not None:
            return self._named(data, match, self._stack[-1])
        if len(data) - start <= MAX_KEY_BYTES and _UNENDED_KEY.match(data, start):
            return None
        raise self._wrong(_NO_NAME, start)

    def _named(self, data: bytes, match: re.Match[bytes], frame: _Frame) -> int:
        """Take a name, and what stands behind it as far as that needs nobody; gives where what was taken ends."""
        written = match[1]
        if len(written) > MAX_KEY_BYTES:
            raise self._wrong(_NO_NAME, match.start(1) - 1)
        known = self._policy.known.get(written) or self._learnt(written, match.start(1) - 1)
        key, frame.role = known
        frame.key = key
        names = frame.names
        if names is not None:
            if key in names:
                raise self._wrong(f"the name {key[:60]!r} stands twice in one object", match.start(1) - 1)
            names.add(key)
            if len(names) > MAX_NAMES:
                raise self._wrong(f"an object has more than {MAX_NAMES} names", match.start(1) - 1)
        self._at = _VALUE
        end = match.end()
        if end == len(data):
            return end
        first = data[end]
        if first == _QUOTE:
            return self._value_behind(data, end, frame)
        return self._open(data, end, is_object=first == _BRACE) if first in _OPENING else end

    def _value_behind(self, data: bytes, start: int, frame: _Frame) -> int:
        """Take the string at `start`, if it is whole and names nothing; gives where what was taken ends."""
        role = frame.role
        if frame.is_free or role in _FREE:
            return self._begin_text(data, start + 1, is_data=role is _DATA and not frame.is_free)
        match = _STRING.match(data, start)
        if match is None or match.end() - start > LONGEST:
            return start
        text = self._unescaped(match[1], start)
        what = classify(text, self._bases) if role is _SCANNED else self._meaning(text, role, frame)
        if what is not None:
            return start
        self._at = _AFTER
        return match.end()

    def _learnt(self, written: bytes, start: int) -> tuple[str, Role]:
        policy = self._policy
        name = fold(self._unescaped(written, start))
        known = name, policy.roles.get(name, Role.SCANNED)
        # Mostly they are the same few; what is remembered stays small, whatever clients send.
        if len(policy.known) < MAX_KNOWN:
            policy.known[written] = known
        return known

    def _unescaped(self, written: bytes, start: int) -> str:
        if b"\\" not in written:
            return written.decode()
        try:
            return str(orjson.loads(b'"%b"' % written))
        except orjson.JSONDecodeError:
            raise self._wrong("half of a surrogate pair stands alone", start) from None

    def _string(self, data: bytes, start: int) -> "int | Found | None":
        frame = self._stack[-1] if self._stack else None
        role = Role.SCANNED if frame is None else frame.role
        if frame is not None and (frame.is_free or role in _FREE):
            return self._begin_text(data, start + 1, is_data=role is _DATA and not frame.is_free)
        match = _STRING.match(data, start)
        if match is None or match.end() - start > LONGEST:
            return self._long_string(data, start, is_whole=match is not None)
        self._at = _AFTER if self._stack else _END
        text = self._unescaped(match[1], start)
        what = self._meaning(text, role, frame)
        return match.end() if what is None else Found(match[0], text, what, frame.key if frame else "")

    def _long_string(self, data: bytes, start: int, *, is_whole: bool) -> int | None:
        held = data[start : start + LONGEST]
        if not is_whole and not _UNENDED.match(data, start):
            raise self._wrong("a string is broken", start)
        if not is_whole and len(data) - start <= LONGEST:
            return None
        # Media in a data: URL may be as long as it likes; whatever else is so long names nothing that exists.
        meaning = classify(_beginning(held), self._bases)
        if isinstance(meaning, Unusable) or (isinstance(meaning, Url) and meaning.kind is not UrlKind.DATA):
            raise self._wrong("a name or address is longer than any there is", start)
        return self._begin_text(data, start + 1, is_data=True)

    def _meaning(self, text: str, role: Role, frame: _Frame | None) -> "Meaning | ModelName | Handle | None":
        if role is Role.SCANNED:
            return classify(text, self._bases)
        if role is Role.MODEL:
            return ModelName(text)
        if role is Role.HANDLE:
            return Handle(text)
        if role is Role.MIME_TYPE and frame is not None:
            frame.mime_type = text[:100].lower()
        elif role is Role.WORD:
            self._take_word(text, frame)
        elif role is Role.CLOSED:
            raise self._closed(frame)
        return classify(text, self._bases)

    def _take_word(self, text: str, frame: _Frame | None) -> None:
        if frame is None:
            return
        if frame.key == "servicetier":
            self.facts.service_tier = text[:40].lower()
        elif text in self._policy.closed_types:
            raise self._closed(frame)

    def _scalar(self, data: bytes, start: int) -> int | None:
        match = _SCALAR.match(data, start)
        if match is None or match.end() - start > MAX_SCALAR_BYTES:
            if match is None and len(data) - start <= MAX_SCALAR_BYTES and _UNENDED_SCALAR.match(data, start):
                return None
            raise self._wrong("a value is missing, or is none that JSON knows", start)
        self._at = _AFTER if self._stack else _END
        if self._stack and self._stack[-1].role in _TOLD:
            self._take_scalar(self._stack[-1].key, match[0])
        return match.end()

    def _take_scalar(self, key: str, written: bytes) -> None:
        facts, value = self.facts, orjson.loads(written)
        if isinstance(value, bool):
            if key == "stream":
                facts.stream = value
            elif key == "store":
                facts.store = value
            elif key == "background":
                facts.is_background = value
        elif isinstance(value, int) and value >= 0:
            if key in {"candidatecount", "n"}:
                facts.candidates = max(facts.candidates, value)
            else:
                facts.max_output_tokens = max(facts.max_output_tokens or 0, value)

    # Free text

    def _begin_text(self, data: bytes, start: int, *, is_data: bool) -> int:
        """Take a free string from behind its quote; gives where what is there of it ends."""
        end = self._run(data, start)
        length = end - start
        if end < len(data) and data[end] == _QUOTE and self._stack:
            # Whole already, as most are.
            if is_data:
                self._stack[-1].media_bytes += length
            else:
                self.facts.text_bytes += length
            self._at = _AFTER
            return end + 1
        self._text_bytes, self._is_data = length, is_data
        self._at = _TEXT
        return end

    def _text(self, data: bytes, position: int) -> tuple[int, bool]:
        """Go on in a string that is free; gives how far, and whether it has ended."""
        end = self._run(data, position)
        self._text_bytes += end - position
        if end == len(data):
            return end, False
        if data[end] == _QUOTE:
            self._end_text()
            return end + 1, True
        if _UNENDED_ESCAPE.match(data, end):
            return end, False
        raise self._wrong("a string has a control character or an escape that JSON does not know", end)

    def _run(self, data: bytes, position: int) -> int:
        """Give where text ends: at a quote, at what may not stand in it, or at the end of the data."""
        if len(data) - position > LONG_RUN:
            end = data.find(b'"', position)
            end = len(data) if end < 0 else end
            # Over long runs without escapes, searching is several times as fast as matching.
            if end - position > LONG_RUN and data.find(b"\\", position, end) < 0:
                control = data[position:end].translate(_CONTROL).find(1)
                return end if control < 0 else position + control
        return _RUN.match(data, position).end()  # type: ignore[union-attr]  # it matches always

    def _end_text(self) -> None:
        if not self._stack:
            # A string that is the whole document.
            self._at = _END
            return
        if self._is_data:
            self._stack[-1].media_bytes += self._text_bytes
        else:
            self.facts.text_bytes += self._text_bytes
        self._at = _AFTER

    # Errors, and what is kept

    def _wrong(self, what: str, position: int) -> MalformedRequestError:
        names = ".".join(frame.key for frame in self._stack[:-1] if frame.is_object)[:200]
        where = f" (below {names})" if names else ""
        return MalformedRequestError(f"Invalid JSON payload: {what}, at byte {self._offset + position}{where}.")

    def _closed(self, frame: _Frame | None) -> ForbiddenError:
        name = frame.key if frame else ""
        return ForbiddenError(f"{name[:60]!r} is closed on this gateway: it would reach past it.")

    def save(self) -> bytes:
        """Write down where the scanner stands, between two pieces, for `restore`."""
        frames = [
            [f.is_object, f.is_free, None if f.names is None else sorted(f.names), f.role.value, f.key, f.mime_type]
            for f in self._stack
        ]
        decoder = None if self._decoder is None else self._decoder.getstate()[0].hex()
        return orjson.dumps(
            [1, self._policy.name, frames, int(self._at), self._held.hex(), decoder, self._is_data, self._offset]
        )

    @classmethod
    def restore(cls, saved: bytes, bases: tuple[str, ...] = ()) -> "JsonScanner":
        """Make a scanner that goes on where another stood; of its facts nothing is kept."""
        _, policy, frames, at, held, decoder, is_data, offset = orjson.loads(saved)
        scanner = cls(POLICIES[policy], bases)
        scanner._stack = [
            _Frame(is_object, is_free, None if names is None else set(names), Role(role), key, mime_type)
            for is_object, is_free, names, role, key, mime_type in frames
        ]
        scanner._at, scanner._held, scanner._is_data, scanner._offset = _At(at), bytes.fromhex(held), is_data, offset
        if decoder is not None:
            scanner._decoder = codecs.getincrementaldecoder("utf-8")("strict")
            scanner._decoder.setstate((bytes.fromhex(decoder), 0))
        return scanner


def _beginning(written: bytes) -> str:
    """Unescape the beginning of a string as far as it can be."""
    text = written[1:].decode("utf-8", "ignore")
    return re.sub(r"\\u([0-9a-fA-F]{4})|\\(.)", lambda match: chr(int(match[1], 16)) if match[1] else match[2], text)
