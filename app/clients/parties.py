"""Whose limits a call is held to: the client's own, its issuer's (a group of clients), and the whole gateway's.

It knows what is limited and for whom, and nothing of how it is counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.clients.identity import NO_LIMITS, Client, Limits
from app.settings import Settings


class Whose(StrEnum):
    """Whose a limit is."""

    CLIENT = "client"
    ISSUER = "issuer"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Party:
    """One that has limits. `key` tells it from all others, in every store, for ever."""

    whose: Whose
    key: str
    limits: Limits


GATEWAY_KEY = "total"
"""Sorts behind every `client:` and `issuer:`: rows are locked in the order of their keys, and this one is everybody's,
so that it is locked last and held for the shortest time."""


class Parties:
    """Finds the parties whose limits hold for a client."""

    def __init__(self, gateway: Limits = NO_LIMITS, issuers: Mapping[str, Limits] | None = None) -> None:
        self._gateway = () if gateway == NO_LIMITS else (Party(Whose.GATEWAY, GATEWAY_KEY, gateway),)
        self._issuers = {
            issuer: Party(Whose.ISSUER, f"issuer:{issuer}", limits)
            for issuer, limits in (issuers or {}).items()
            if limits != NO_LIMITS
        }

    @classmethod
    def of_settings(cls, settings: Settings) -> "Parties":
        """Take the gateway's and the issuers' limits from the settings."""
        issuers = {name: Limits(**values.model_dump()) for name, values in (settings.issuer_limits or {}).items()}
        return cls(Limits(**settings.gateway_limits.model_dump()) if settings.gateway_limits else NO_LIMITS, issuers)

    def of(self, client: Client) -> tuple[Party, ...]:
        """Give those that have limits, in the order in which their rows are locked; nobody is the usual answer."""
        found = self._gateway
        if client.issuer is not None and client.issuer in self._issuers:
            found = (self._issuers[client.issuer], *found)
        if client.limits != NO_LIMITS:
            found = (Party(Whose.CLIENT, f"client:{client.id}", client.limits), *found)
        return found
