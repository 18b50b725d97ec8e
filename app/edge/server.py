"""The server: uvicorn with our protocol, our limits, and nothing of its own in log or headers."""

import sys
from typing import TYPE_CHECKING

import uvicorn

from app.edge.limits import EdgeLimits
from app.edge.protocol import make_protocol
from app.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_KEEP_ALIVE_S = 75
"""Longer than the usual load balancer and client keep an idle connection, so that they close it and no call is lost."""
_BACKLOG = 2_048
_SWITCH_INTERVAL_S = 0.0002
"""How long a thread waits for the interpreter before it asks for it, instead of Python's 5 ms.

The event loop lets go of the interpreter for a moment with every event. A thread that waits is woken each time, and
mostly too late, which costs both of them; and as long as it is woken it does not ask. The other way round, the loop
waits no longer than this for a thread that computes.
"""


def make_server(
    app: "ASGIApp", *, host: str, port: int, settings: Settings, limits: EdgeLimits | None = None
) -> uvicorn.Server:
    """Make the server of an application; `await server.serve()` or `server.run()` runs it until a signal comes.

    `limits` stand in for those that follow from the settings. Logging is the caller's to configure: the loggers are
    `uvicorn.error`, `gateway.access` and `gateway.errors`.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
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
