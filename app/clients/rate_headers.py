"""How much is left, as the HTTP fields RateLimit and RateLimit-Policy say it (draft-ietf-httpapi-ratelimit-headers).

RateLimit-Policy: "requests";q=60;w=60, "tokens-day";q=2000000;qu="tokens";w=86400
RateLimit: "requests";r=59;t=42, "tokens-day";r=1990000;t=3600
"""

import math
from collections.abc import Iterable
from typing import NamedTuple


class Quota(NamedTuple):
    """One limit and how it stands. `unit` is None for requests; without a window, nothing but giving back helps."""

    name: str
    limit: int
    remaining: int
    unit: str | None = None
    window_s: int | None = None
    resets_in_s: float | None = None


def rate_headers(quotas: Iterable[Quota]) -> dict[str, str]:
    """Give both fields, or neither when there is no quota."""
    policies, limits = [], []
    for quota in quotas:
        unit = "" if quota.unit is None else f';qu="{quota.unit}"'
        window = "" if quota.window_s is None else f";w={quota.window_s}"
        reset = "" if quota.resets_in_s is None else f";t={math.ceil(quota.resets_in_s)}"
        policies.append(f'"{quota.name}";q={quota.limit}{unit}{window}')
        limits.append(f'"{quota.name}";r={max(quota.remaining, 0)}{reset}')
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(limits)} if policies else {}
