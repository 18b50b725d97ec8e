"""Calls whose costs arise later: batches, caches and background interactions. It knows no path and no body."""

from app.errors import ForbiddenError
from app.native.services import NativeCall


def check_deferred(call: NativeCall, what: str) -> None:
    """Raise ForbiddenError if a client with limits in tokens or money may not make a call of this kind.

    The message begins with the second argument, the kind in the plural.
    """
    services = call.services
    # The costs of such a call can exceed a limit after its admission, so only the operator may open these calls.
    if not services.settings.allow_deferred_costs and services.metering.admission.has_budgets(call.client):
        raise ForbiddenError(
            f"{what} cause costs after the request, and are closed to clients with limits in tokens or money "
            "unless the operator sets ALLOW_DEFERRED_COSTS=true."
        )
