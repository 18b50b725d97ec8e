"""The services of the endpoints: built once by `create_app`, owned by the lifespan, reached through the request."""

from dataclasses import dataclass
from functools import partial
from typing import cast

from starlette.requests import Request

from app.accounting.metering import Metering
from app.clients.authenticator import Authenticator, require_model
from app.clients.identity import Client
from app.clients.ledger import Ledger
from app.gemini.generation import Generation
from app.gemini.models import Models
from app.gemini.upstream import Upstream
from app.media.buffers import HeldBytes
from app.media.file_service import FileService
from app.media.intake import Intake, IntakeServices, Policy
from app.media.workers import Workers
from app.request.context import usage_of
from app.request.usage import RequestUsage
from app.settings import Settings
from app.store.database import Database


@dataclass
class Parts:
    """The parts of one gateway."""

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


@dataclass
class Services(Parts):
    """The parts of one gateway for one request: with its client and its usage."""

    client: Client
    usage: RequestUsage

    def model(self, requested: str | None) -> str:
        """Return the model for a client's name of it; raises ForbiddenError if the client may not use the model."""
        model = self.models.resolve(requested)
        require_model(self.client, model)
        return model

    def intake(self, policy: Policy) -> Intake:
        """Return the intake for one request of the client."""
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


def parts_of(request: Request) -> Parts:
    """Return the parts of the application that the request came to; pages and probes have no client."""
    return cast("Parts", request.app.services)


def services_of(request: Request) -> Services:
    """Return the parts of the application for the client that authentication has decided on."""
    usage = usage_of(request.scope)
    return Services(**vars(parts_of(request)), client=usage.client, usage=usage)
