"""What the endpoints work with: built once by `create_app`, owned by the lifespan, found from a request."""

from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from app.gemini.generation import Generation
from app.gemini.models import Models
from app.gemini.upstream import Upstream
from app.media.buffers import HeldBytes
from app.media.intake import IntakeServices
from app.media.library import FileLibrary
from app.media.workers import Workers
from app.settings import Settings
from app.store.database import Database

OWNER = "local"
"""The owner of everything until clients have identities of their own."""


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one gateway."""

    settings: Settings
    upstream: Upstream
    generation: Generation
    models: Models
    library: FileLibrary
    held_bytes: HeldBytes
    workers: Workers
    database: Database

    @property
    def intake(self) -> IntakeServices:
        """What an intake needs of them."""
        return IntakeServices(self.library, self.held_bytes, self.settings)


def services_of(request: Request) -> Services:
    """Find the services of the application that the request came to."""
    return cast("Services", request.app.state.services)
