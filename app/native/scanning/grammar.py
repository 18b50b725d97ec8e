r"""JSON's strict lexical grammar (RFC 8259) over bytes that arrive in pieces.

Each token has a pattern for the whole token, and another for a beginning that may still become whole. A string is
`"` (plain | escape)* `"`, where an escape is one of \" \\ \/ \b \f \n \r \t \uXXXX.
"""

import re

import orjson

_PLAIN = rb'[^"\\\x00-\x1f]*'
_ESCAPED = rb'(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})' + _PLAIN + rb")*"
_CONTENT = _PLAIN + _ESCAPED
_BROKEN_ESCAPE = rb"(?:\\u?[0-9a-fA-F]{0,3})?"
_SPACE = rb"[ \t\n\r]*"
_LITERAL = rb"(?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)"

SPACE = re.compile(_SPACE)
STRING = re.compile(rb'"(' + _CONTENT + rb')"')
UNENDED_STRING = re.compile(rb'"' + _CONTENT + _BROKEN_ESCAPE + rb"\Z")
NAME = re.compile(_SPACE + rb'"(' + _CONTENT + rb')"' + _SPACE + rb":" + _SPACE)
UNENDED_NAME = re.compile(_SPACE + rb'(?:"' + _CONTENT + rb"(?:" + _BROKEN_ESCAPE + rb'|"' + _SPACE + rb"))?\Z")
SCALAR = re.compile(_LITERAL + rb"(?=[ \t\n\r,\]}])")
LAST_SCALAR = re.compile(_LITERAL + rb"\Z")
UNENDED_SCALAR = re.compile(rb"[-+.0-9a-zA-Z]*\Z")
UNENDED_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_RUN = re.compile(_CONTENT)
_CONTROL = bytes(1 if code < 32 else 0 for code in range(256))
_LONG_RUN = 256


def unescaped(written: bytes) -> str | None:
    """Return the text of a string's content; None if it holds half of a surrogate pair."""
    if b"\\" not in written:
        return written.decode()
    try:
        return str(orjson.loads(b'"%b"' % written))
    except orjson.JSONDecodeError:
        return None


def beginning_of(written: bytes, most: int) -> str:
    """Unescape the beginning of a string's content, as far as possible, and return at most `most` characters."""
    text = written[: 6 * most].decode("utf-8", "ignore")
    plain = re.sub(r"\\u([0-9a-fA-F]{4})|\\(.)", lambda match: chr(int(match[1], 16)) if match[1] else match[2], text)
    return plain[:most]


def run_end(data: bytes, position: int) -> int:
    """Return where a string's content ends: at a quote, at a byte or escape that is not JSON's, or with the data."""
    if len(data) - position > _LONG_RUN:
        end = data.find(b'"', position)
        end = len(data) if end < 0 else end
        # Over long runs without escapes, searching is several times as fast as matching.
        if end - position > _LONG_RUN and data.find(b"\\", position, end) < 0:
            control = data[position:end].translate(_CONTROL).find(1)
            return end if control < 0 else position + control
    match = _RUN.match(data, position)
    return position if match is None else match.end()
