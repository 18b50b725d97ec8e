"""How much is left, as the HTTP fields RateLimit and RateLimit-Policy say it (draft-ietf-httpapi-ratelimit-headers).

RateLimit-Policy: "requests";q=60;w=60, "tokens-day";q=2000000;qu="tokens";w=86400
RateLimit: "requests";r=59;t=42, "tokens-day";r=1990000;t=3600
"""

from collections.abc import Sequence
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
        self.stated = ", ".join(map(_stated, policies))
        self.left = ", ".join(f'"{each.name}";r=%s' + ("" if each.window_s is None else ";t=%s") for each in policies)


class Quotas(NamedTuple):
    """How limits stand: the numbers for the places that `policies` have, none of them negative."""

    policies: Policies
    values: list[int]


def _stated(policy: Policy) -> str:
    unit = "" if policy.unit is None else f';qu="{policy.unit}"'
    window = "" if policy.window_s is None else f";w={policy.window_s}"
    return f'"{policy.name}";q={policy.limit}{unit}{window}'


def rate_headers(quotas: Sequence[Quotas]) -> dict[str, str]:
    """Give both fields, or neither when no limit is told of."""
    if not quotas:
        return {}
    return {
        "RateLimit-Policy": ", ".join([policies.stated for policies, _ in quotas]),
        "RateLimit": ", ".join([policies.left % tuple(values) for policies, values in quotas]),
    }
