"""What the endpoints work with: built once by `create_app`, owned by the lifespan, found from a request."""

from dataclasses import dataclass, field
from functools import partial
from typing import cast

from starlette.requests import Request

from app.accounting.metering import Metering, RequestUsage
from app.clients.authenticator import Authenticator, require_model
from app.clients.identity import LOCAL, Client
from app.clients.ledger import Ledger
from app.gemini.generation import Generation
from app.gemini.models import Models
from app.gemini.upstream import Upstream
from app.media.buffers import HeldBytes
from app.media.file_service import FileService
from app.media.intake import Intake, IntakeServices, Policy
from app.media.workers import Workers
from app.settings import Settings
from app.store.database import Database


@dataclass(slots=True)
class Services:
    """The parts of one gateway, as one client meets them; made for each call, which a frozen class makes dear."""

    settings: Settings
    upstream: Upstream
    generation: Generation
    models: Models
    files: FileService
    held_bytes: HeldBytes
    workers: Workers
    database: Database
    authenticator: Authenticator
    ledger: Ledger
    metering: Metering
    client: Client = LOCAL
    meter: RequestUsage = field(default_factory=RequestUsage)

    def met_by(self, client: Client, meter: RequestUsage) -> "Services":
        """Give the same parts as a client meets them."""
        return Services(
            self.settings,
            self.upstream,
            self.generation,
            self.models,
            self.files,
            self.held_bytes,
            self.workers,
            self.database,
            self.authenticator,
            self.ledger,
            self.metering,
            client,
            meter,
        )

    def model(self, requested: str | None) -> str:
        """Give the model that a client's name for it means; raises ForbiddenError when it is not for this client."""
        model = self.models.resolve(requested)
        require_model(self.client, model)
        return model

    def intake(self, policy: Policy) -> Intake:
        """Make an intake for one request of the client's."""
        admission, limits = self.metering.admission, self.client.limits
        services = IntakeServices(
            self.files,
            self.held_bytes,
            self.settings,
            take_bytes=partial(admission.take_bytes, self.client),
            max_file_bytes=limits.max_file_bytes,
            stored_bytes=limits.stored_bytes,
        )
        return Intake(services, owner=self.client.id, policy=policy)


def services_of(request: Request) -> Services:
    """Find the services of the application that the request came to, for the client that it is of."""
    services = cast("Services", request.app.services)
    client: Client = request.scope.get("gateway.client", LOCAL)
    if not services.metering.is_on:
        return services
    meter: RequestUsage | None = request.scope.get("gateway.meter")
    if meter is None:
        meter = request.scope["gateway.meter"] = RequestUsage(client)
    return services.met_by(client, meter)
