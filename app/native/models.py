"""The list of models, relayed."""

from starlette.types import Receive, Scope, Send

from app.native.heads import PAGING, alt_of, encoded, query_of, upstream_headers
from app.native.relay import Outgoing, relay
from app.native.services import NativeCall

_LIST_TAKES = PAGING | {"alt", "$alt", "prettyPrint", "$prettyPrint"}


async def list_models(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `GET {version}/models`."""
    query = query_of(scope, _LIST_TAKES)
    alt_of(query, is_stream=False)
    await _relay(scope, send, call, f"models{encoded(query)}")


async def get_model(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `GET {version}/models/M`; for an alias, return the model behind the alias."""
    query = query_of(scope)
    alt_of(query, is_stream=False)
    name = call.services.models.resolve(call.route.name)
    await _relay(scope, send, call, f"models/{name}{encoded(query)}")


async def _relay(scope: Scope, send: Send, call: NativeCall, path: str) -> None:
    upstream = call.services.upstream
    url = upstream.url(f"/{call.route.version}/{path}")
    await relay(upstream, send, Outgoing("GET", url, upstream_headers(scope)))
