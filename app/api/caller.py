"""The caller of a REST request: its client, with the services and the files of a form that the endpoints use."""

from functools import partial
from typing import cast

from starlette.requests import Request

from app.clients.limit_owners import stored_limits
from app.media.form_files import FormFiles, UploadPolicy
from app.media.form_uploads import FormFileServices
from app.media.types import MediaKind
from app.request.context import usage_of
from app.services import ClientCaller, Services


class RestCaller(ClientCaller):
    """The client of one REST request, with the services that it may use."""

    __slots__ = ()

    def form_files(self, policy: UploadPolicy, accepts: frozenset[MediaKind] | None = None) -> FormFiles:
        """Return the files of one form of the client; `accepts` are the kinds that the operation takes."""
        services, client = self.services, self.client
        return FormFiles(
            FormFileServices(
                services.files,
                services.held_bytes,
                services.settings,
                take_bytes=partial(services.metering.admission.take_bytes, client),
                max_file_bytes=services.metering.admission.max_file_bytes(client),
                stored_limits=stored_limits(client),
            ),
            owner=client.id,
            policy=policy,
            accepts=accepts,
        )


def services_of(request: Request) -> Services:
    """Return the services of the application that the request came to; pages and probes have no client."""
    return cast("Services", request.app.services)


def caller_of(request: Request) -> RestCaller:
    """Return the caller of a request. Raises LookupError if authentication has decided on no client."""
    return RestCaller(services_of(request), usage_of(request.scope))
