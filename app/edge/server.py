"""The server: uvicorn with the gateway's protocol and limits, without uvicorn's access log and Server header."""

import sys
from typing import TYPE_CHECKING

import uvicorn

from app.edge.limits import EdgeLimits
from app.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_KEEP_ALIVE_S = 75
"""Longer than load balancers and clients usually keep an idle connection: if they close it, no call is lost."""
_BACKLOG = 2_048
_SWITCH_INTERVAL_S = 0.0002
"""Seconds that a thread waits for the interpreter before it requests it, instead of Python's 5 ms."""
# The event loop releases the interpreter for a moment with every event. A waiting thread is woken each time, mostly too
# late, and makes no request while it is woken. In the other direction, the loop waits at most this long for a thread
# that computes.


def make_server(
    app: "ASGIApp", *, host: str, port: int, settings: Settings, limits: EdgeLimits | None = None
) -> uvicorn.Server:
    """Return the server of an application; `await server.serve()` or `server.run()` runs it until a signal arrives.

    `limits` replace the limits from the settings. The caller configures logging: the loggers are `uvicorn.error`,
    `gateway.access` and `gateway.errors`.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    # Imported only now: with another uvicorn the import may fail, and `check_uvicorn` has to name the reason first.
    from app.edge.protocol import make_protocol  # noqa: PLC0415

    protocol = make_protocol(limits or EdgeLimits(header_timeout_s=settings.header_timeout_s))
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            loop="uvloop",
            http=protocol,
            # Media does not shrink, and a small frame could unpack to 16 MiB on the event loop.
            ws_per_message_deflate=False,
            lifespan="on",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=settings.shutdown_grace_s,
        )
    )
