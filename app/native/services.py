"""What the relayed surfaces work with: built once by `create_app`, owned by the lifespan."""

from dataclasses import dataclass

from starlette.types import Scope

from app.accounting.metering import Metering
from app.clients.authenticator import Authenticator, require_model
from app.clients.identity import Client
from app.gemini.models import Models
from app.gemini.upstream import Upstream
from app.media.buffers import HeldBytes
from app.media.file_service import FileService
from app.native.routes import Route
from app.native.uploads.leases import WriterLeases
from app.native.writers import Writers
from app.request.context import usage_of
from app.request.usage import RequestUsage
from app.settings import Settings
from app.store.resources import ResourceRegistry
from app.store.upload_sessions import UploadSessions


@dataclass(frozen=True, slots=True)
class NativeServices:
    """The parts of one gateway that relay."""

    settings: Settings
    upstream: Upstream
    models: Models
    files: FileService
    resources: ResourceRegistry
    upload_sessions: UploadSessions
    leases: WriterLeases
    writers: Writers
    held_bytes: HeldBytes
    authenticator: Authenticator
    metering: Metering


@dataclass(slots=True)
class Call:
    """One request that has been matched, and whose it is; made for each call, which a frozen class makes dear."""

    services: NativeServices
    route: Route
    client: Client
    usage: RequestUsage

    def model(self, requested: str) -> str:
        """Give the model that a client's name for it means; raises ForbiddenError when it is not for this client."""
        model = self.services.models.resolve(requested)
        require_model(self.client, model)
        return model


def call_of(services: NativeServices, route: Route, scope: Scope) -> Call:
    """Return the call of a request, with its usage and the client that authentication has decided on."""
    usage = usage_of(scope)
    return Call(services, route, usage.client, usage)
