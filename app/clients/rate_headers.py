"""The HTTP fields RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers).

RateLimit-Policy: "requests";q=60;w=60, "tokens-day";q=2000000;qu="tokens";w=86400
RateLimit: "requests";r=59;t=42, "tokens-day";r=1990000;t=3600
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple


class QuotaPolicy(NamedTuple):
    """One limit. `unit` is None for requests; a limit without a window has room only after a release."""

    name: str
    limit: int
    unit: str | None = None
    window_s: int | None = None


class QuotaPolicies:
    """Limits that are always told together, with the constant text of both fields.

    `left` has a place for the rest of each limit, followed, if the limit has a window, by one for the seconds until its
    reset.
    """

    __slots__ = ("left", "stated")

    def __init__(self, policies: Sequence[QuotaPolicy]) -> None:
        self.stated = ", ".join(map(_stated, policies)).encode()
        left = (f'"{each.name}";r=%d' + ("" if each.window_s is None else ";t=%d") for each in policies)
        self.left = ", ".join(left).encode()


@dataclass(slots=True, eq=False)
class Quotas:
    """The rest of limits: the numbers for the places in `told`, in order, none of them negative."""

    told: tuple[QuotaPolicies, ...] = ()
    values: Sequence[int] = ()


NO_QUOTAS = Quotas()
Field = tuple[bytes, bytes]
"""A name in lower case, and a value."""


def _stated(policy: QuotaPolicy) -> str:
    unit = "" if policy.unit is None else f';qu="{policy.unit}"'
    window = "" if policy.window_s is None else f";w={policy.window_s}"
    return f'"{policy.name}";q={policy.limit}{unit}{window}'


@lru_cache(maxsize=1_024)
def _together(told: tuple[QuotaPolicies, ...]) -> tuple[Field, bytes]:
    stated = b", ".join([each.stated for each in told])
    return (b"ratelimit-policy", stated), b", ".join([each.left for each in told])


def rate_fields(quotas: Quotas) -> tuple[Field, ...]:
    """Return both fields, or neither if no limit is told."""
    if not quotas.told:
        return ()
    policy, left = _together(quotas.told)
    return policy, (b"ratelimit", left % tuple(quotas.values))


def rate_headers(quotas: Quotas) -> dict[str, str]:
    """Return both fields for the headers of an error, or neither if no limit is told."""
    fields = rate_fields(quotas)
    return dict(zip(("RateLimit-Policy", "RateLimit"), (value.decode() for _, value in fields), strict=False))
