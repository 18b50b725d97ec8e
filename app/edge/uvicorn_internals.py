"""The parts of uvicorn that the connection classes build on, which any minor version may change.

A user's installation has no lock file, so `serve` and `dev` check the names before they start.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import requires, version
from inspect import isfunction

from app.settings import SettingsError

_HTTP = "uvicorn.protocols.http.httptools_impl"
_FLOW = "uvicorn.protocols.http.flow_control"
_WEBSOCKET = "uvicorn.protocols.websockets.websockets_sansio_impl"
INTERNALS: Mapping[str, frozenset[str]] = {
    f"{_FLOW}:HIGH_WATER_LIMIT": frozenset(),
    f"{_FLOW}:FlowControl": frozenset(["pause_reading", "read_paused", "resume_reading"]),
    f"{_HTTP}:HttpToolsProtocol": frozenset(
        [
            "_should_upgrade",
            "_start_asgi_task",
            "_unset_keepalive_if_required",
            "access_log",
            "access_logger",
            "app",
            "app_state",
            "config",
            "connection_lost",
            "connection_made",
            "connections",
            "cycle",
            "data_received",
            "expect_100_continue",
            "flow",
            "headers",
            "logger",
            "loop",
            "on_body",
            "on_header",
            "on_headers_complete",
            "on_message_begin",
            "on_message_complete",
            "on_response_complete",
            "parser",
            "pipeline",
            "root_path",
            "scope",
            "server_state",
            "shutdown",
            "timeout_keep_alive",
            "timeout_keep_alive_handler",
            "timeout_keep_alive_task",
            "transport",
            "url",
        ]
    ),
    f"{_HTTP}:RequestResponseCycle": frozenset(
        [
            "access_log",
            "access_logger",
            "body",
            "chunked_encoding",
            "default_headers",
            "disconnected",
            "expected_content_length",
            "flow",
            "keep_alive",
            "logger",
            "message_event",
            "more_body",
            "on_response",
            "receive",
            "response_complete",
            "response_started",
            "scope",
            "send",
            "transport",
        ]
    ),
    f"{_WEBSOCKET}:WebSocketsSansIOProtocol": frozenset(
        [
            "close_sent",
            "conn",
            "data_received",
            "frames",
            "handle_cont",
            "handle_parser_exception",
            "handle_ping",
            "handshake_complete",
            "handshake_initiated",
            "logger",
            "loop",
            "queue",
            "read_paused",
            "receive",
            "scope",
            "shutdown",
            "transport",
            "writable",
        ]
    ),
}
"""Names of classes and constants, and the attributes and methods of each class that are used or overridden."""


def missing_internals() -> Iterator[str]:
    """Return the names that the installed uvicorn lacks."""
    for path, attributes in INTERNALS.items():
        module, _, name = path.partition(":")
        try:
            found = getattr(import_module(module), name)
        except (ImportError, AttributeError):
            yield f"{module}.{name}"
        else:
            present = _attributes(found)
            yield from (f"{name}.{attribute}" for attribute in sorted(attributes - present))


def _attributes(found: object) -> set[str]:
    """Return the names of a class's attributes: its methods, and the names that they mention."""
    methods = [value for value in vars(found).values() if isfunction(value)] if isinstance(found, type) else []
    return {*dir(found), *(name for method in methods for name in method.__code__.co_names)}


def check_uvicorn() -> None:
    """Raise SettingsError with the names that the installed uvicorn lacks, if it lacks any."""
    missing = list(missing_internals())
    if missing:
        wanted = next(line for line in requires("gemini-gateway") or () if line.startswith("uvicorn"))
        raise SettingsError(
            f"uvicorn {version('uvicorn')} lacks {', '.join(missing)}, which the gateway builds on; install {wanted}"
        )
