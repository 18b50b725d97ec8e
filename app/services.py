"""The services of one gateway, and a client that calls them: shared by the REST surface and the relayed surfaces.

`create_app` builds the services once, and the lifespan owns them.
"""

from dataclasses import dataclass

from app.accounting.metering import Metering
from app.clients.authenticator import Authenticator, require_model
from app.clients.identity import LOCAL, Client
from app.clients.ledger import Ledger
from app.gemini.generation import GenerationClient
from app.gemini.models import Models
from app.gemini.upstream import Upstream
from app.media.buffers import HeldBytes
from app.media.file_service import FileService
from app.media.workers import Workers
from app.request.usage import RequestUsage
from app.settings import Settings
from app.store.database import Database


@dataclass(frozen=True, slots=True)
class Services:
    """The services of one gateway."""

    settings: Settings
    upstream: Upstream
    generation: GenerationClient
    models: Models
    files: FileService
    held_bytes: HeldBytes
    workers: Workers
    database: Database
    authenticator: Authenticator
    ledger: Ledger
    metering: Metering


@dataclass(frozen=True, slots=True)
class ClientCaller:
    """The authenticated client of one request, with the services that the request may use."""

    services: Services
    usage: RequestUsage

    @property
    def client(self) -> Client:
        """Return the client."""
        return self.usage.client

    @property
    def has_credential(self) -> bool:
        """Whether the client sent a credential; with open access no client does."""
        return self.client.id != LOCAL.id

    def model(self, requested: str | None) -> str:
        """Return Gemini's name for the requested model; the default model for None.

        Raises ForbiddenError if the client may not use the model.
        """
        model = self.services.models.resolve(requested)
        require_model(self.client, model)
        return model
