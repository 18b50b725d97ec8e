"""The services of the relayed surfaces, and a matched request with its caller."""

from dataclasses import dataclass

from starlette.types import Scope

from app.errors import ResourceNotFoundError
from app.native.routes import MODEL_NAME, Route
from app.native.turns import ScanTurns
from app.native.uploads.leases import WriterLeases
from app.native.writers import Writers
from app.request.context import usage_of
from app.services import ClientCaller, Services
from app.store.resources import ResourceRegistry
from app.store.upload_sessions import UploadSessions


@dataclass(frozen=True, slots=True)
class NativeServices(Services):
    """The services of one gateway, with the additional services of the relayed surfaces."""

    resources: ResourceRegistry
    upload_sessions: UploadSessions
    leases: WriterLeases
    writers: Writers
    scan_turns: ScanTurns


@dataclass(frozen=True, slots=True)
class NativeCall(ClientCaller):
    """A matched request and its caller."""

    services: NativeServices
    route: Route

    def model(self, requested: str | None) -> str:
        """Return Gemini's name of the requested model, from the path or JSON; the default model for None.

        Raises ResourceNotFoundError for a name that no model can have, ForbiddenError if the client may not use the
        model.
        """
        # `dataclass(slots=True)` makes a new class, which `super()` without arguments would not find.
        model = ClientCaller.model(self, requested)
        if requested is not None and not (MODEL_NAME.fullmatch(requested) and MODEL_NAME.fullmatch(model)):
            raise ResourceNotFoundError(
                f"models/{requested.removeprefix('models/')[:60]} is not found for API version {self.route.version}. "
                "Call ListModels to see the list of available models."
            )
        return model


def call_of(services: NativeServices, route: Route, scope: Scope) -> NativeCall:
    """Return the call of a request. Raises LookupError if authentication has set no client."""
    return NativeCall(services, usage_of(scope), route)
