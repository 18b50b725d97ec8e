"""The query string of a request: parsed once, by the gateway's only parser for query strings.

A decision about a parameter and the action that follows read the same `RequestQuery`, so that no second parser can read
another name or value. By name, this module knows only the parameters that hold credentials.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from app.errors import MalformedRequestError

MAX_PARAMETERS = 100
CREDENTIALS = frozenset({"key", "access_token", "token"})
_SHOWN_CHARS = 60
# Printable ASCII, and a percent sign only before two hexadecimal digits.
_WELL_FORMED = re.compile(rb"(?:[!-$&-~]|%[0-9A-Fa-f]{2})*")


@dataclass(frozen=True, slots=True)
class RequestQuery:
    """The parameters of a request, decoded, in the order in which the client sent them."""

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, query_string: bytes) -> "RequestQuery":
        """Return the parameters of a query string; a name without `=` has the value "".

        Raises MalformedRequestError for broken percent escapes, text that is not UTF-8, and over 100 parameters.
        """
        if not query_string:
            return NO_QUERY
        if not _WELL_FORMED.fullmatch(query_string):
            raise _unreadable()
        text = query_string.decode("ascii")
        if text.count("&") >= MAX_PARAMETERS:
            raise MalformedRequestError(f"The query string has more than {MAX_PARAMETERS} parameters.")
        try:
            return cls(tuple(parse_qsl(text, keep_blank_values=True, errors="strict")))
        except UnicodeDecodeError:
            raise _unreadable() from None

    def values(self, name: str) -> tuple[str, ...]:
        """Return all values of a parameter, in order."""
        return tuple(value for other, value in self.pairs if other == name)

    def without_credentials(self) -> tuple[tuple[str, str], ...]:
        """Return all parameters but the credentials, in order."""
        return tuple(pair for pair in self.pairs if pair[0] not in CREDENTIALS)

    def value(self, name: str) -> str | None:
        """Return the value of a parameter; None if the parameter is absent.

        Raises MalformedRequestError for a parameter that is given more than once, even with the same value.
        """
        found = self.values(name)
        if len(found) > 1:
            raise given_twice(name)
        return found[0] if found else None


NO_QUERY = RequestQuery()


def given_twice(name: str) -> MalformedRequestError:
    """Return the error for a parameter that is given more than once."""
    return MalformedRequestError(f"Query parameter {name[:_SHOWN_CHARS]!r} is given more than once; send it once.")


def _unreadable() -> MalformedRequestError:
    return MalformedRequestError("The query string cannot be read: it must be percent-encoded UTF-8.")
