"""The server of the emulator: uvicorn, with nothing of its own in the answers.

It must be uvicorn, since the emulator closes connections on request. The Date header is the emulator's, since its clock
can be advanced.
"""

from typing import TYPE_CHECKING

import uvicorn

from gemini_emulator.transport import WithTransport

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_BACKLOG = 2_048
_KEEP_ALIVE_S = 75
_SHUTDOWN_GRACE_S = 1


def emulator_server_config(app: "ASGIApp", *, host: str, port: int) -> uvicorn.Config:
    """Configure the server of an emulator; port 0 takes a free one. Logging is the caller's to configure."""
    return uvicorn.Config(
        WithTransport(app),
        host=host,
        port=port,
        http="httptools",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_SHUTDOWN_GRACE_S,
    )
