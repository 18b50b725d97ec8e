"""The command `gemini-emulator`: serves the emulator on one address until a signal or the end of standard input."""

import argparse
import logging
import socket
import sys
from threading import Thread

import uvicorn
from pydantic import ValidationError

from gemini_emulator.app import create_emulator
from gemini_emulator.guard import guarded
from gemini_emulator.server import emulator_server_config
from gemini_emulator.settings import EmulatorSettings

DEFAULT_PORT = 8001


def run(*, host: str, port: int, until_eof: bool) -> None:
    """Serve the emulator, its settings read from the environment; port 0 takes a free port.

    The first line of standard output is the base URL. With `until_eof`, the server stops when standard input ends, so
    that the emulator cannot outlive the process that started it. Raises SystemExit with one line for a wrong setting
    or an address that is in use.
    """
    try:
        settings = EmulatorSettings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = f"EMULATOR_{first['loc'][0]}".upper()
        raise SystemExit(f"gemini-emulator: {name}: {first['msg'].removeprefix('Value error, ')}") from None
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    app = guarded(create_emulator(settings.config), host=host, origins=settings.cors_origins)
    server = uvicorn.Server(emulator_server_config(app, host=host, port=port))
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise SystemExit(f"gemini-emulator: {host}:{port} cannot be listened on: {error.strerror}") from None
    shown = f"[{host}]" if ":" in host else host
    sys.stdout.write(f"http://{shown}:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    if until_eof:
        Thread(target=_stop_at_eof, args=(server,), daemon=True).start()
    server.run(sockets=[listener])


def _stop_at_eof(server: uvicorn.Server) -> None:
    sys.stdin.read()
    server.should_exit = True


def main() -> None:
    """Run the command with the arguments of the process."""
    parser = argparse.ArgumentParser(prog="gemini-emulator", description="Serve an emulator of the Gemini API.")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="the port; 0 takes a free port")
    parser.add_argument("--until-eof", action="store_true", help="stop when standard input ends")
    arguments = parser.parse_args()
    run(host=arguments.host, port=arguments.port, until_eof=arguments.until_eof)
