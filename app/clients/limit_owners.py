"""The owners of the limits that hold for a client: the client, its issuer, its key with all users, the gateway.

This module knows limits and their owners, and nothing of counting.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.clients.identity import NO_LIMITS, Client, Limits, unit_of
from app.settings import Settings
from app.store.records import StoredLimits


class OwnerKind(StrEnum):
    """The kind of a limit's owner."""

    CLIENT = "client"
    ISSUER = "issuer"
    KEY = "key"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class LimitOwner:
    """An owner of limits. `key` is unique in every store and never changes."""

    kind: OwnerKind
    key: str
    limits: Limits


def stored_limits(client: Client) -> StoredLimits:
    """Return a client's limits in stored bytes."""
    return StoredLimits(client.limits.stored_bytes, unit_of(client)[0], client.total_limits.stored_bytes)


GATEWAY_KEY = "total"
"""Sorts after every `client:`, `issuer:` and `key:`. Rows are locked in the order of their keys, and this row belongs
to every call, so that it is locked last and for the shortest time."""


class LimitOwners:
    """Finds the owners whose limits hold for a client."""

    def __init__(self, gateway: Limits = NO_LIMITS, issuers: Mapping[str, Limits] | None = None) -> None:
        self._gateway = () if gateway == NO_LIMITS else (LimitOwner(OwnerKind.GATEWAY, GATEWAY_KEY, gateway),)
        self._issuers = {
            issuer: LimitOwner(OwnerKind.ISSUER, f"issuer:{issuer}", limits)
            for issuer, limits in (issuers or {}).items()
            if limits != NO_LIMITS
        }

    @classmethod
    def of_settings(cls, settings: Settings) -> "LimitOwners":
        """Return the gateway's and the issuers' limits in the settings."""
        issuers = {name: Limits(**values.model_dump()) for name, values in (settings.issuer_limits or {}).items()}
        return cls(Limits(**settings.gateway_limits.model_dump()) if settings.gateway_limits else NO_LIMITS, issuers)

    def of(self, client: Client) -> tuple[LimitOwner, ...]:
        """Return the owners that have limits, in the order in which their rows are locked; usually none."""
        found = self._gateway
        if client.total_limits != NO_LIMITS:
            key, _ = unit_of(client)
            found = (LimitOwner(OwnerKind.KEY, f"key:{key}", client.total_limits), *found)
        if client.issuer is not None and client.issuer in self._issuers:
            found = (self._issuers[client.issuer], *found)
        if client.limits != NO_LIMITS:
            found = (LimitOwner(OwnerKind.CLIENT, f"client:{client.id}", client.limits), *found)
        return found
