"""Strings that match a regular expression, written from the expression itself.

Covers what schemas use: literals, classes, groups, alternatives, repetition, anchors. Not look-around, references to
groups, or Unicode properties. Anchors are assumed to be met: the caller checks the result against a real matcher.

    alternatives -> sequence -> piece with repetition -> character | class | group
"""

import string
from dataclasses import dataclass

_MAX_DEPTH = 20
_CLASSES = {"d": string.digits, "w": string.ascii_letters + string.digits + "_", "s": " "}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_PRINTABLE = string.ascii_letters + string.digits + " -_.,:;/+*=#@!?()[]{}<>&%$'\"\\|~^`"


class UnwritablePatternError(Exception):
    """The pattern uses syntax that this writer does not know, or is malformed."""


def write_match(pattern: str, repeats: int, *, longest: int) -> str:
    """Write a string that a regular expression should match.

    Args:
        pattern: the expression, in the common part of ECMA's and Python's dialects.
        repeats: the number of repetitions beyond the minimum for a piece without an upper limit.
        longest: characters beyond which no match is written.

    Raises:
        UnwritablePatternError: when the expression is beyond this writer, or its match beyond `longest`.

    """
    return _Writer(pattern, repeats, longest).write()


@dataclass(slots=True)
class _Writer:
    """Reads the expression once, from left to right, and writes the match as it goes."""

    pattern: str
    repeats: int
    longest: int
    position: int = 0
    depth: int = 0

    def write(self) -> str:
        match = self._alternatives()
        if self.position < len(self.pattern):
            raise UnwritablePatternError("unbalanced parenthesis")
        return match

    def _peek(self) -> str:
        return self.pattern[self.position : self.position + 1]

    def _next(self) -> str:
        character = self._peek()
        if not character:
            raise UnwritablePatternError("the pattern ends too early")
        self.position += 1
        return character

    def _skip(self, prefix: str) -> bool:
        if self.pattern.startswith(prefix, self.position):
            self.position += len(prefix)
            return True
        return False

    def _alternatives(self) -> str:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise UnwritablePatternError("nested too deeply")
        first = self._sequence()
        while self._skip("|"):
            self._sequence()
        self.depth -= 1
        return first

    def _sequence(self) -> str:
        pieces: list[str] = []
        length = 0
        while self._peek() not in {"", "|", ")"}:
            piece = self._piece()
            least, most = self._repetition()
            times = least if least == most else min(most, least + self.repeats)
            length += len(piece) * times
            if length > self.longest:
                raise UnwritablePatternError("a match would be too long")
            pieces.append(piece * times)
        return "".join(pieces)

    def _piece(self) -> str:
        character = self._next()
        if character in "^$":
            return ""
        if character == "(":
            return self._group()
        if character == "[":
            return self._class()
        if character == "\\":
            return self._escape()
        if character in "*+?{":
            raise UnwritablePatternError("nothing to repeat")
        return "a" if character == "." else character

    def _group(self) -> str:
        if self._skip("?") and not self._skip(":"):
            if not (self._skip("P<") or self._skip("<")) or self._peek() in {"=", "!"}:
                raise UnwritablePatternError("look-around")
            while self._next() != ">":
                pass
        match = self._alternatives()
        if not self._skip(")"):
            raise UnwritablePatternError("unbalanced parenthesis")
        return match

    def _escape(self) -> str:
        character = self._next()
        if character in "bB":
            return ""
        if character in "DWS":
            return _outside(_CLASSES[character.lower()])
        if character in "xu":
            return self._code_point(2 if character == "x" else 4)
        if character in _CLASSES:
            return _CLASSES[character][0]
        if character in _CONTROLS:
            return _CONTROLS[character]
        if character.isalnum():
            raise UnwritablePatternError(f"\\{character}")
        return character

    def _code_point(self, digits: int) -> str:
        code = "".join(self._next() for _ in range(digits))
        if not all(digit in string.hexdigits for digit in code):
            raise UnwritablePatternError("malformed escape")
        return chr(int(code, 16))

    def _class(self) -> str:
        is_negated = self._skip("^")
        members = ""
        while self._peek() != "]":
            member = self._class_member()
            is_range = len(member) == 1 and self._peek() == "-" and not self.pattern.startswith("-]", self.position)
            members += self._range_from(member) if is_range else member
        self._next()
        return _outside(members) if is_negated else _best_of(members)

    def _range_from(self, first: str) -> str:
        """Read the rest of a range; of a long one its beginning will do."""
        self._next()
        last = self._class_member()
        if len(last) != 1 or last < first:
            raise UnwritablePatternError("malformed range")
        return "".join(map(chr, range(ord(first), min(ord(last), ord(first) + 255) + 1)))

    def _class_member(self) -> str:
        character = self._next()
        if character != "\\":
            return character
        if self._peek() in _CLASSES:
            return _CLASSES[self._next()]
        if self._skip("b"):
            return "\b"
        return self._escape()

    def _repetition(self) -> tuple[int, int]:
        """Read the quantifier after a piece: least and most repeats."""
        unlimited = self.longest + 1
        least, most = 1, 1
        if self._skip("*"):
            least, most = 0, unlimited
        elif self._skip("+"):
            least, most = 1, unlimited
        elif self._skip("?"):
            least, most = 0, 1
        elif self._skip("{"):
            least, most = self._counts(unlimited)
        if (least, most) != (1, 1):
            self._skip("?")
        return least, most

    def _counts(self, unlimited: int) -> tuple[int, int]:
        counts = ""
        while (character := self._next()) != "}":
            counts += character
        low, comma, high = counts.partition(",")
        if not low.isascii() or not low.isdigit() or (high and not (high.isascii() and high.isdigit())):
            raise UnwritablePatternError("malformed repetition")
        least = int(low)
        return least, (int(high) if high else unlimited) if comma else least


def _best_of(members: str) -> str:
    """Choose a member of a class, a letter or digit if possible."""
    for member in members:
        if member.isascii() and member.isalnum():
            return member
    if not members:
        raise UnwritablePatternError("an empty class")
    return members[0]


def _outside(members: str) -> str:
    for candidate in _PRINTABLE:
        if candidate not in members:
            return candidate
    raise UnwritablePatternError("a class without printable members")
