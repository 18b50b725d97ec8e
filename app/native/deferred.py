"""What costs later than its call: batches, caches, background interactions, Live. It knows no path and no body."""

from app.errors import ForbiddenError
from app.native.services import Call


def check_deferred(call: Call, what: str) -> None:
    """Raise ForbiddenError when a client with limits in tokens or money may not use what costs later.

    Such a call can pass a limit that nobody looks at any more when it does: an operator opens it knowingly.
    """
    services = call.services
    if not services.settings.allow_deferred_costs and services.metering.admission.has_budgets(call.client):
        raise ForbiddenError(
            f"{what} cost later than they are asked for, and are closed to clients with limits in tokens or money "
            "unless the operator sets ALLOW_DEFERRED_COSTS=true."
        )
