"""The command line: `gemini-gateway dev | serve | emulator | keys | openapi | ask`.

This module alone knows both the gateway and the emulator, and runs each in a process of its own.
"""

import gc
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import orjson
import typer
from pydantic import SecretStr

from app.ask.command import ask
from app.cli.keys import keys_cli, make_first_key
from app.cli.keys_update import update
from app.cli.usage import usage
from app.edge.access_log import ACCESS_LOGGER
from app.edge.hosts import is_loopback
from app.edge.server import make_server
from app.edge.uvicorn_internals import check_uvicorn
from app.gemini.credentials import ApiKey, read_api_key
from app.logs import log_to
from app.main import create_api, create_app
from app.settings import Settings, SettingsError, read

# Errors are searched for the key, so it is a word that no message uses.
EMULATOR_KEY = "key-for-the-emulator"
Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(help="The port to listen on; 0 chooses a free port.", min=0, max=65535)]

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
cli.command("ask")(ask)
keys_cli.command("usage")(usage)
keys_cli.command("update")(update)
cli.add_typer(keys_cli, name="keys")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _run(settings: Settings, key: ApiKey, *, host: str, listener: socket.socket, is_dev: bool) -> None:
    app = create_app(settings, key, bind_host=host, is_dev=is_dev)
    # Objects loaded so far stay for good. Excluding them from garbage collection makes a small call a fifth cheaper.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    make_server(app, host=host, port=listener.getsockname()[1], settings=settings).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    # The socket is bound before the address is printed, so that a reader can connect at once.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2_048)
    except OSError as error:
        raise SettingsError(f"--port: cannot listen on {host}:{port}: {error.strerror}") from None


def _url(host: str, listener: socket.socket) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


@cli.command()
def serve(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Serve against the real Gemini API; clients need a key, unless CLIENT_AUTH says otherwise."""
    check_uvicorn()
    settings = read(Settings)
    key = read_api_key(settings)
    if settings.is_open and not is_loopback(host) and not settings.allow_open_access:
        raise SettingsError(
            f"ALLOW_OPEN_ACCESS: CLIENT_AUTH=none on {host} lets everyone who reaches it spend your quota; "
            "set ALLOW_OPEN_ACCESS=true to allow this"
        )
    log_to(sys.stderr, gathered=ACCESS_LOGGER)
    listener = _listen(host, port)
    if "keys" in settings.auth_methods:
        _show_first_key(settings, settings.public_url or _url(host, listener))
    _run(settings, key, host=host, listener=listener, is_dev=False)


def _show_first_key(settings: Settings, url: str) -> None:
    first = make_first_key(settings)
    if first is not None:
        _say("There was no client key yet. This is the first key, named default; it is shown only once:")
        _say(first.text)
        _say(f'Try: curl --form-string prompt="Hello" -H "Authorization: Bearer {first.text}" {url}/api/v1/generate')


@cli.command()
def dev(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    *,
    real: Annotated[bool, typer.Option("--real", help="Ask the real Gemini API, with GEMINI_API_KEY.")] = False,
) -> None:
    """Serve for development, without a key or a database server; the emulator answers."""
    check_uvicorn()
    settings = read(Settings, client_auth="none", app_check=None)
    if not is_loopback(host) and not settings.allow_open_access:
        raise SettingsError(
            f"ALLOW_OPEN_ACCESS: set ALLOW_OPEN_ACCESS=true to listen on {host}, which other machines can reach"
        )
    log_to(sys.stderr, gathered=ACCESS_LOGGER)
    listener = _listen(host, port)
    url = _url(host, listener)
    if real:
        key = read_api_key(settings)
        _say(f"Gemini gateway for development on {url}, asking the real Gemini API.")
        _run(settings, key, host=host, listener=listener, is_dev=True)
        return
    with _emulator_process() as base_url:
        emulated = settings.model_copy(
            update={"gemini_base_url": base_url, "gemini_api_key": SecretStr(EMULATOR_KEY), "gemini_api_key_file": None}
        )
        _say(f"Gemini gateway for development on {url}")
        _say(f"No API key is used: the built-in emulator answers, on {base_url}. It is not a model.")
        _say(f'Try: curl --form-string prompt="Hello" {url}/api/v1/generate')
        _run(emulated, ApiKey(EMULATOR_KEY), host=host, listener=listener, is_dev=True)


@contextmanager
def _emulator_process() -> Iterator[str]:
    _require_emulator()
    # The emulator stops when its standard input ends, so it cannot outlive this process, however this process ends.
    command = [sys.executable, "-m", "gemini_emulator", "--port", "0", "--until-eof"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603  # ours
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line.startswith("http"):
            raise SettingsError("EMULATOR: the emulator did not start; see its message above")
        yield line.strip()
    finally:
        process.terminate()
        process.wait(10)


def _require_emulator() -> None:
    if find_spec("gemini_emulator") is None:
        raise SettingsError(
            "EMULATOR: the emulator is not installed; from a checkout of the gateway, run: "
            "python -m pip install ./emulator '.[dev]'"
        )


@cli.command()
def emulator(
    host: Host = "127.0.0.1",
    port: Port = 8001,
) -> None:
    """Run the Gemini API emulator alone."""
    _require_emulator()
    # Imported here, since a production installation has no emulator.
    from gemini_emulator.command import run  # noqa: PLC0415

    run(host=host, port=port, until_eof=False)


@cli.command()
def openapi(
    output: Annotated[Path | None, typer.Option(help="The file to write the document to.")] = None,
    check: Annotated[Path | None, typer.Option(help="Fail if this file differs from the document.")] = None,
) -> None:
    """Print, write or check the OpenAPI document."""
    api = create_api(Settings(_env_file=None), ApiKey(EMULATOR_KEY))
    text = orjson.dumps(api.openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
    if check is not None:
        if check.read_bytes() != text:
            sys.stderr.write(f"{check} differs from the code; run: make openapi\n")
            raise typer.Exit(1)
    elif output is not None:
        output.write_bytes(text)
    else:
        sys.stdout.buffer.write(text)


def main() -> None:
    """Run the command; a wrong setting ends it with one line."""
    try:
        cli()
    except SettingsError as error:
        sys.stderr.write(f"gemini-gateway: {error}\n")
        sys.exit(2)
