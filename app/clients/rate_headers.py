"""How much is left, as the HTTP fields RateLimit and RateLimit-Policy say it (draft-ietf-httpapi-ratelimit-headers).

RateLimit-Policy: "requests";q=60;w=60, "tokens-day";q=2000000;qu="tokens";w=86400
RateLimit: "requests";r=59;t=42, "tokens-day";r=1990000;t=3600
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple


class Policy(NamedTuple):
    """One limit. `unit` is None for requests; without a window, nothing but giving back helps."""

    name: str
    limit: int
    unit: str | None = None
    window_s: int | None = None


class Policies:
    """Limits that are told together: both fields, as far as they are always the same.

    `left` has a place for how much is left of each limit, and behind it, where it has a window, for the seconds until
    it is whole again.
    """

    __slots__ = ("left", "stated")

    def __init__(self, policies: Sequence[Policy]) -> None:
        self.stated = ", ".join(map(_stated, policies)).encode()
        left = (f'"{each.name}";r=%d' + ("" if each.window_s is None else ";t=%d") for each in policies)
        self.left = ", ".join(left).encode()


@dataclass(slots=True, eq=False)
class Quotas:
    """How limits stand: the numbers for the places that `told` have, one after the other, none of them negative."""

    told: tuple[Policies, ...] = ()
    values: Sequence[int] = ()


NO_QUOTAS = Quotas()
Field = tuple[bytes, bytes]
"""A name in lower case, and a value."""


def _stated(policy: Policy) -> str:
    unit = "" if policy.unit is None else f';qu="{policy.unit}"'
    window = "" if policy.window_s is None else f";w={policy.window_s}"
    return f'"{policy.name}";q={policy.limit}{unit}{window}'


@lru_cache(maxsize=1_024)
def _together(told: tuple[Policies, ...]) -> tuple[Field, bytes]:
    stated = b", ".join([each.stated for each in told])
    return (b"ratelimit-policy", stated), b", ".join([each.left for each in told])


def rate_fields(quotas: Quotas) -> tuple[Field, ...]:
    """Give both fields, or neither when no limit is told of."""
    if not quotas.told:
        return ()
    policy, left = _together(quotas.told)
    return policy, (b"ratelimit", left % tuple(quotas.values))


def rate_headers(quotas: Quotas) -> dict[str, str]:
    """Give both fields, or neither when no limit is told of, as an error carries them."""
    fields = rate_fields(quotas)
    return dict(zip(("RateLimit-Policy", "RateLimit"), (value.decode() for _, value in fields), strict=False))
