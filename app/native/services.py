"""The services of the relayed surfaces, and one matched request of theirs with its caller."""

from dataclasses import dataclass

from starlette.types import Scope

from app.native.routes import Route
from app.native.uploads.leases import WriterLeases
from app.native.writers import Writers
from app.request.context import usage_of
from app.services import ClientCaller, Services
from app.store.resources import ResourceRegistry
from app.store.upload_sessions import UploadSessions


@dataclass(frozen=True, slots=True)
class NativeServices(Services):
    """The services of one gateway, with those that relaying alone needs."""

    resources: ResourceRegistry
    upload_sessions: UploadSessions
    leases: WriterLeases
    writers: Writers


@dataclass(frozen=True, slots=True)
class NativeCall(ClientCaller):
    """One request that has been matched, and its caller."""

    services: NativeServices
    route: Route


def call_of(services: NativeServices, route: Route, scope: Scope) -> NativeCall:
    """Return the call of a request. Raises LookupError if authentication has decided on no client."""
    return NativeCall(services, usage_of(scope), route)
