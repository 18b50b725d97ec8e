"""A client: who calls, what it owns, what it may do, how much it may spend.

It knows nothing of how a client proves who it is, and nothing of HTTP.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Scope(StrEnum):
    """What a client may do."""

    GENERATE = "generate"
    FILES = "files"
    TASKS = "tasks"
    NATIVE = "native"
    METRICS = "metrics"

    # The text's own: an Enum's is worked out in Python, and every call asks for a scope.
    __hash__ = str.__hash__


ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a client may use; None is without limit. Money is US dollars, days and months are UTC's."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    cost_per_day: float | None = None
    cost_per_month: float | None = None
    concurrent_requests: int | None = None
    bytes_per_day: int | None = None
    max_file_bytes: int | None = None
    stored_bytes: int | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Client:
    """Who calls. `id` is the owner of what it uploads, at most 255 characters, the same across rotations of its key.

    `name` is what logs and usage reports show. `models` and `origins` are those it may use, None for all; `origins` are
    compared with a browser's Origin header. `issuer` groups clients of one identity provider, or of one key whose
    short-lived tokens they hold: limits may apply to the group as well.
    """

    id: str
    name: str
    scopes: frozenset[Scope] = ALL_SCOPES
    models: frozenset[str] | None = None
    origins: frozenset[str] | None = None
    limits: Limits = field(default=NO_LIMITS)
    issuer: str | None = None


LOCAL = Client(id="local", name="local")
"""Everyone, while CLIENT_AUTH is none. Only the authenticator of an open gateway decides on this client."""


def unit_of(client: Client) -> tuple[str, str]:
    """Return whose share a client uses: the key or issuer that it comes from, and within that the client itself."""
    return client.issuer or client.id, client.id
