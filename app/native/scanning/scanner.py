"""A strict scanner of one JSON document that arrives in pieces.

    feed(piece) ──> [Found, ...]     strings to resolve; all bytes before `position` are judged

Strict as RFC 8259, since Gemini's lenient parser reads the document next, and two parsers must not differ about it.
Memory is flat: free text and media are never held, other strings up to 8 KiB, and all counts are bounded. The scanner
knows no client and no HTTP; the tables define the role of each value.
"""

import codecs
import re
from enum import IntEnum

from app.errors import GatewayError, MalformedRequestError
from app.native.scanning import grammar
from app.native.scanning.facts import BodyFacts
from app.native.scanning.found import Found
from app.native.scanning.frames import FREE, INHERITED, Frame
from app.native.scanning.judging import Judge
from app.native.scanning.policy import DEFAULT_RULES, Policy, ScanRules
from app.native.scanning.references import LONGEST
from app.native.scanning.roles import OTHER, Field, Role
from app.native.scanning.tables.everywhere import ANYWHERE

MAX_DEPTH = 100
"""The deepest nesting, the same as in Google's parser."""
MAX_NAME_BYTES = 1_024
MAX_SCALAR_BYTES = 400
MAX_NAMES = 10_000
"""The largest number of names held, in all open objects together."""


class At(IntEnum):
    """The position in the grammar: the tokens that may come next."""

    VALUE = 0
    FIRST_VALUE = 1
    NAME = 2
    FIRST_NAME = 3
    AFTER = 4
    TEXT = 5
    END = 6


# Bound once, since looking up an enum's attribute for every token would cost more than the comparison.
_VALUE, _FIRST_VALUE, _NAME, _FIRST_NAME, _AFTER, _TEXT, _END = At
_QUOTE, _BRACE, _BRACKET, _END_BRACE, _END_BRACKET, _COMMA, _SPACE = b'"{[}], '
_OPENING = (_BRACE, _BRACKET)
_NO_NAME = "a name in quotes and a colon are missing, or the name is too long"


class JsonScanner:
    """Scans one document. After an error the scanner must not be used again."""

    def __init__(self, policy: Policy, rules: ScanRules = DEFAULT_RULES) -> None:
        self.facts = BodyFacts()
        # The folded names of the outermost object, known at its end.
        self.root_names: frozenset[str] = frozenset()
        self.position = 0
        self._policy = policy
        self._rules = rules
        self._judge = Judge(self.facts, policy, rules)
        self._stack: list[Frame] = []
        self._at = At.VALUE
        self._held = b""
        self.values = 0
        self._names = 0
        self._text_bytes = 0
        self._is_media = False
        # Created at the first piece that is not ASCII, since most bodies are ASCII.
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, piece: bytes) -> list[Found]:
        """Scan a piece and return the strings found in it. Once these are resolved, the bytes before `position` may go.

        Raises MalformedRequestError, and ForbiddenError for a field that no client may set.
        """
        if self._decoder is not None or not piece.isascii():
            self._decode(piece)
        data = self._held + piece if self._held else piece
        position, size = 0, len(data)
        while position < size:
            if self._at is _TEXT:
                position, is_whole = self._text(data, position)
                if not is_whole:
                    break
                continue
            first = data[position]
            if first <= _SPACE:
                position = _end(grammar.SPACE.match(data, position))
                if position == size:
                    break
                first = data[position]
            after = self._step(data, position, first)
            if after is None:
                break
            position = after
            if self.values > self._rules.max_values:
                raise MalformedRequestError(
                    f"The JSON has more than {self._rules.max_values} values; upload long lists as a file instead."
                )
        self._held = data[position:]
        self.position += position
        return self._taken()

    def end(self) -> list[Found]:
        """End the document and return the last strings found. Raises MalformedRequestError if it is incomplete."""
        if self._decoder is not None:
            self._decode(b"", is_last=True)
        if self._at is _VALUE and not self._stack and self._held and grammar.LAST_SCALAR.fullmatch(self._held):
            self.position += len(self._held)
            self._at, self._held = _END, b""
            self.values += 1
        if self._at is not _END or self._held:
            raise self._wrong("it ends before it is whole", 0)
        return self._taken()

    def _taken(self) -> list[Found]:
        found, self._judge.found = self._judge.found, []
        return found

    def _decode(self, piece: bytes, *, is_last: bool = False) -> None:
        decoder = self._decoder = self._decoder or codecs.getincrementaldecoder("utf-8")("strict")
        try:
            decoded = decoder.decode(piece, is_last)
        except UnicodeDecodeError:
            raise MalformedRequestError("The JSON is not valid UTF-8.") from None
        if self.position == 0 and not self._held and decoded.startswith("\ufeff"):
            raise MalformedRequestError("The JSON begins with a byte order mark; leave it out.")

    # Tokens. Each step returns the end of its token, or None if the token is incomplete.

    def _step(self, data: bytes, start: int, first: int) -> int | None:  # noqa: PLR0911  # one return a token
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
            self._at = _NAME
            match = grammar.NAME.match(data, start + 1)
            return start + 1 if match is None else self._named(data, match, frame)
        if at is _VALUE or at is _FIRST_VALUE:
            if first == _QUOTE:
                return self._string(data, start)
            if first in _OPENING:
                return self._open(data, start, is_object=first == _BRACE)
            if at is _FIRST_VALUE and first == _END_BRACKET:
                return self._close(data, start)
            return self._scalar(data, start)
        if at is _END:
            raise self._wrong("something follows the document", start)
        if at is _FIRST_NAME and first == _END_BRACE:
            return self._close(data, start)
        return self._name(data, start)

    def _open(self, data: bytes, start: int, *, is_object: bool) -> int:
        stack = self._stack
        if len(stack) >= MAX_DEPTH:
            raise self._wrong(f"it has more than {MAX_DEPTH} levels", start)
        self.values += 1
        parent = stack[-1] if stack else None
        if parent is not None and not parent.is_free:
            self._judge.container(parent.field, parent.name)
        frame = self._frame(parent, is_object=is_object)
        stack.append(frame)
        if not is_object:
            self._at = _FIRST_VALUE
            return start + 1
        self._at = _FIRST_NAME
        match = grammar.NAME.match(data, start + 1)
        return start + 1 if match is None else self._named(data, match, frame)

    def _frame(self, parent: Frame | None, *, is_object: bool) -> Frame:
        if parent is None:
            return Frame(is_object, place=self._policy.root if is_object else ANYWHERE)
        field = parent.field
        if parent.is_free or field.role is Role.TREE:
            return Frame(is_object, is_free=True)
        if is_object:
            return Frame(is_object, place=field.below or ANYWHERE)
        # The elements of a list have the list's name and field.
        return Frame(is_object, field=field if field.role in INHERITED else OTHER, name=parent.name)

    def _close(self, data: bytes, start: int) -> int:
        stack = self._stack
        while True:
            frame = stack.pop()
            self._names -= len(frame.names)
            self._judge.close(frame, stack[-1] if stack else None, self.position + start)
            start += 1
            if not stack:
                self._at = _END
                self.root_names = frozenset(frame.names)
                return start
            # The end of one object is usually followed by the end of its parent.
            if start == len(data) or data[start] != (_END_BRACE if stack[-1].is_object else _END_BRACKET):
                self._at = _AFTER
                return start

    def _name(self, data: bytes, start: int) -> int | None:
        match = grammar.NAME.match(data, start)
        if match is not None:
            return self._named(data, match, self._stack[-1])
        if len(data) - start <= MAX_NAME_BYTES and grammar.UNENDED_NAME.match(data, start):
            return None
        raise self._wrong(_NO_NAME, start)

    def _named(self, data: bytes, match: re.Match[bytes], frame: Frame) -> int:
        """Read a name, and also its value if the value is complete in `data`."""
        written, start = match[1], match.start(1) - 1
        if len(written) > MAX_NAME_BYTES:
            raise self._wrong(_NO_NAME, start)
        frame.name = written
        if not frame.is_free:
            known = frame.place.known.get(written) or self._looked_up(written, frame, start)
            folded, frame.field = known
            if folded is not None:
                if folded in frame.names:
                    raise self._wrong(f"the name {folded[:60]!r} stands twice in one object", start)
                frame.names.add(folded)
                self._names += 1
                if self._names > MAX_NAMES:
                    raise self._wrong(f"its objects have more than {MAX_NAMES} names", start)
        self._at = _VALUE
        end = match.end()
        if end == len(data):
            return end
        if data[end] == _QUOTE:
            after = self._string(data, end)
            return end if after is None else after
        return self._open(data, end, is_object=data[end] == _BRACE) if data[end] in _OPENING else end

    def _looked_up(self, written: bytes, frame: Frame, start: int) -> tuple[str | None, Field]:
        name = self._unescaped(written, start)
        known = frame.place.look_up(name)
        if known is None:
            raise MalformedRequestError(
                f'Invalid JSON payload received. Unknown name "{name[:60]}": Cannot find field.'
            )
        return known

    def _string(self, data: bytes, start: int) -> int | None:
        frame = self._stack[-1] if self._stack else None
        if frame is not None and (frame.is_free or frame.field.role in FREE):
            return self._begin_text(data, start + 1, is_media=not frame.is_free and frame.field.role is Role.DATA)
        match = grammar.STRING.match(data, start)
        if match is None or match.end() - start > LONGEST:
            return self._long_string(data, start, frame, is_whole=match is not None)
        self.values += 1
        self._at = _AFTER if frame is not None else _END
        at = self.position + start
        self._judge.string(self._unescaped(match[1], start), frame, at, at + match.end() - start, match[0])
        return match.end()

    def _long_string(self, data: bytes, start: int, frame: Frame | None, *, is_whole: bool) -> int | None:
        if not is_whole:
            if not grammar.UNENDED_STRING.match(data, start):
                raise self._wrong("a string is broken", start)
            if len(data) - start <= LONGEST:
                return None
        beginning = grammar.beginning_of(data[start + 1 : start + LONGEST], 200)
        is_media = self._judge.long_string(beginning, frame, self.position + start)
        return self._begin_text(data, start + 1, is_media=is_media)

    def _unescaped(self, written: bytes, start: int) -> str:
        text = grammar.unescaped(written)
        if text is None:
            raise self._wrong("half of a surrogate pair is alone", start)
        return text

    def _scalar(self, data: bytes, start: int) -> int | None:
        match = grammar.SCALAR.match(data, start)
        if match is None or match.end() - start > MAX_SCALAR_BYTES:
            if match is None and len(data) - start <= MAX_SCALAR_BYTES and grammar.UNENDED_SCALAR.match(data, start):
                return None
            raise self._wrong("a value is missing, or is not JSON's", start)
        self.values += 1
        if not self._stack:
            self._at = _END
            return match.end()
        self._at = _AFTER
        frame = self._stack[-1]
        if not frame.is_free and frame.field is not OTHER:
            self._judge.scalar(match[0], frame, self.position + start)
        return match.end()

    # Free text and media: never held

    def _begin_text(self, data: bytes, start: int, *, is_media: bool) -> int:
        self.values += 1
        end = grammar.run_end(data, start)
        self._text_bytes, self._is_media = end - start, is_media
        if end < len(data) and data[end] == _QUOTE:
            # Most strings end in the piece in which they begin.
            self._end_text()
            return end + 1
        self._at = _TEXT
        return end

    def _text(self, data: bytes, position: int) -> tuple[int, bool]:
        """Continue a free string. Return the end of its part in `data`, and whether the string has ended."""
        end = grammar.run_end(data, position)
        self._text_bytes += end - position
        if end == len(data):
            return end, False
        if data[end] == _QUOTE:
            self._end_text()
            return end + 1, True
        if grammar.UNENDED_ESCAPE.match(data, end):
            return end, False
        raise self._wrong("a string has a control character or an escape that JSON does not know", end)

    def _end_text(self) -> None:
        if not self._stack:
            self._at = _END
            return
        self._at = _AFTER
        if self._is_media:
            self._stack[-1].media_bytes += self._text_bytes
        else:
            self.facts.text_bytes += self._text_bytes

    def _wrong(self, what: str, position: int) -> GatewayError:
        names = ".".join(frame.name.decode() for frame in self._stack[:-1] if frame.is_object)[:200]
        where = f" (below {names})" if names else ""
        return MalformedRequestError(f"Invalid JSON payload: {what}, at byte {self.position + position}{where}.")


def _end(match: re.Match[bytes] | None) -> int:
    return 0 if match is None else match.end()
