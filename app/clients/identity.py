"""A client: the owner of files, with its permissions and limits.

This module does not know how a client authenticates, and knows no HTTP.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Scope(StrEnum):
    """A permission of a client."""

    GENERATE = "generate"
    FILES = "files"
    TASKS = "tasks"
    NATIVE = "native"
    METRICS = "metrics"

    # The hash of the text: an Enum's own is computed in Python, and every call asks for a scope.
    __hash__ = str.__hash__


ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits by name; None sets no limit. Money is US dollars, days and months are UTC's."""

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
    """A caller. `id` owns its uploads, has at most 255 characters, and stays the same across rotations of its key.

    `name` is shown in logs and usage reports. `models` and `origins` are the allowed models and origins, None for all;
    `origins` are compared with a browser's Origin header. `issuer` groups clients of one identity provider, or of one
    key whose short-lived tokens they hold. `limits` hold for this client alone, `total_limits` for its key together
    with all users of that key.
    """

    id: str
    name: str
    scopes: frozenset[Scope] = ALL_SCOPES
    models: frozenset[str] | None = None
    origins: frozenset[str] | None = None
    limits: Limits = field(default=NO_LIMITS)
    issuer: str | None = None
    total_limits: Limits = field(default=NO_LIMITS)


LOCAL = Client(id="local", name="local")
"""Every caller while CLIENT_AUTH is none. Only the authenticator of an open gateway decides on this client."""


def unit_of(client: Client) -> tuple[str, str]:
    """Return the owner of the share that a client uses: its key or issuer, and within that the client itself."""
    return client.issuer or client.id, client.id
