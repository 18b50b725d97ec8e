"""The commands `gemini-gateway keys create | list | rotate | revoke`: client keys, for the operator.

A new key goes to stdout, alone on its line; all explanations go to stderr.
"""

import asyncio
import re
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import orjson
import typer
from sqlalchemy.exc import SQLAlchemyError

from app.clients.identity import Limits
from app.clients.keys import (
    DEFAULT_SCOPES,
    LIMITS,
    KeyManagementError,
    Keys,
    NewKey,
    named_limits,
    scopes_of,
    split_limits,
    total_hint,
)
from app.errors import GatewayError
from app.settings import Settings, SettingsError, read
from app.store.clients import ClientRecord, ClientStore, HeldKeys, KeyRecord
from app.store.database import open_database

T = TypeVar("T")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_MAX_DURATION_S = 100 * 365 * 86_400
_USUAL_SCOPES = ",".join(sorted(DEFAULT_SCOPES))
_COLUMNS = ("NAME", "KEY", "STATE", "CREATED", "EXPIRES", "MAY", "LIMITS")


def _seconds(duration: str, option: str) -> float:
    match = re.fullmatch(r"([0-9]{1,10})([smhdw])|0", duration)
    seconds = int(match[1] or 0) * _SECONDS[match[2] or "s"] if match else -1
    if not 0 <= seconds <= _MAX_DURATION_S:
        raise typer.BadParameter("must be a number and one of s, m, h, d, w (30m, 24h, 90d), or 0", param_hint=option)
    return float(seconds)


def words_of(text: str | None) -> frozenset[str] | None:
    """Return the words between commas; None for no text or no words, which means all."""
    return frozenset(word for word in (piece.strip() for piece in (text or "").split(",")) if word) or None


def models_of(text: str | None) -> frozenset[str] | None:
    """Return models like `words_of`, without `models/`."""
    words = words_of(text)
    return None if words is None else frozenset(word.removeprefix("models/") for word in words)


def origins_of(text: str | None) -> frozenset[str] | None:
    """Return origins like `words_of`; raises typer.BadParameter for an invalid origin."""
    words = words_of(text)
    # As browsers write them: in lower case, and without a path.
    origins = None if words is None else frozenset(word.lower().removesuffix("/") for word in words)
    for origin in origins or ():
        if not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/\s]+", origin):
            raise typer.BadParameter(f"{origin} is not an origin such as https://app.example", param_hint="--origins")
    return origins


Name = Annotated[str, typer.Argument(help="The client's name.", metavar="NAME", show_default=False)]
NewName = Annotated[str, typer.Option("--name", help="The client's name, for logs, usage and these commands.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Expires = Annotated[str | None, typer.Option(help="How long the key is valid; by default without end.", metavar="90d")]
Overlap = Annotated[str, typer.Option(help="How long the old keys stay valid; 0 ends them now.", metavar="24h")]
Scopes = Annotated[
    str, typer.Option(help="The scopes of the client, comma-separated; there is also metrics.", metavar="LIST")
]
Models = Annotated[
    str | None, typer.Option(help="The only models that the client may use, comma-separated.", metavar="LIST")
]
Origins = Annotated[
    str | None, typer.Option(help="The only origins whose pages may use the key, comma-separated.", metavar="LIST")
]
_TOTAL = "The limit for all users of the key together; by default none."
Count = Annotated[int | None, typer.Option(help="The limit; by default none.", min=0, metavar="N")]
Bytes = Annotated[int | None, typer.Option(help="The limit; by default none.", min=0, metavar="BYTES")]
Dollars = Annotated[
    float | None, typer.Option(help="The limit, by estimated cost; by default none.", min=0, metavar="USD")
]

TotalCount = Annotated[int | None, typer.Option(help=_TOTAL, min=0, metavar="N")]
TotalBytes = Annotated[int | None, typer.Option(help=_TOTAL, min=0, metavar="BYTES")]
TotalDollars = Annotated[float | None, typer.Option(help=_TOTAL, min=0, metavar="USD")]

keys_cli = typer.Typer(no_args_is_help=True, help="Create, list, rotate and revoke client keys.")


@keys_cli.command()
def create(
    name: NewName,
    scopes: Scopes = _USUAL_SCOPES,
    models: Models = None,
    origins: Origins = None,
    expires: Expires = None,
    *,
    requests_per_minute: Count = None,
    tokens_per_minute: Count = None,
    tokens_per_day: Count = None,
    tokens_per_month: Count = None,
    cost_per_day: Dollars = None,
    cost_per_month: Dollars = None,
    concurrent_requests: Count = None,
    bytes_per_day: Bytes = None,
    max_file_bytes: Bytes = None,
    stored_bytes: Bytes = None,
    total_requests_per_minute: TotalCount = None,
    total_tokens_per_minute: TotalCount = None,
    total_tokens_per_day: TotalCount = None,
    total_tokens_per_month: TotalCount = None,
    total_cost_per_day: TotalDollars = None,
    total_cost_per_month: TotalDollars = None,
    total_concurrent_requests: TotalCount = None,
    total_bytes_per_day: TotalBytes = None,
    total_max_file_bytes: TotalBytes = None,
    total_stored_bytes: TotalBytes = None,
    as_json: AsJson = False,
) -> None:
    """Create a client and its key, which is shown only once."""
    named = {
        "requests_per_minute": requests_per_minute,
        "tokens_per_minute": tokens_per_minute,
        "tokens_per_day": tokens_per_day,
        "tokens_per_month": tokens_per_month,
        "cost_per_day": cost_per_day,
        "cost_per_month": cost_per_month,
        "concurrent_requests": concurrent_requests,
        "bytes_per_day": bytes_per_day,
        "max_file_bytes": max_file_bytes,
        "stored_bytes": stored_bytes,
        "total_requests_per_minute": total_requests_per_minute,
        "total_tokens_per_minute": total_tokens_per_minute,
        "total_tokens_per_day": total_tokens_per_day,
        "total_tokens_per_month": total_tokens_per_month,
        "total_cost_per_day": total_cost_per_day,
        "total_cost_per_month": total_cost_per_month,
        "total_concurrent_requests": total_concurrent_requests,
        "total_bytes_per_day": total_bytes_per_day,
        "total_max_file_bytes": total_max_file_bytes,
        "total_stored_bytes": total_stored_bytes,
    }
    try:
        chosen = scopes_of(words_of(scopes) or ())
        limits, total_limits = split_limits({limit: value for limit, value in named.items() if value is not None})
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    made = managing(
        lambda keys: keys.create(
            name,
            now=time.time(),
            scopes=chosen,
            models=models_of(models),
            origins=origins_of(origins),
            limits=limits,
            total_limits=total_limits,
            expires_in_s=None if expires is None else _seconds(expires, "--expires"),
        )
    )
    _show_new(made, as_json=as_json)
    hint_total(made.client.name, made.client.total_limits)


def hint_total(name: str, total_limits: Limits) -> None:
    """Print advice to stderr if no limit holds for all users of a key together."""
    hint = total_hint(name, total_limits)
    if hint is not None:
        _note(hint)


@keys_cli.command("list")
def list_keys(*, as_json: AsJson = False) -> None:
    """List all clients and their keys, oldest first; secrets are not stored and cannot be shown."""
    now = time.time()
    clients = managing(lambda keys: keys.page())
    if as_json:
        print_json([_as_json(held, now) for held in clients])
        return
    rows = [_COLUMNS, *(_row(held.client, key, now) for held in clients for key in held.keys)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for row in rows:
        print_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@keys_cli.command()
def rotate(name: Name, overlap: Overlap = "24h", expires: Expires = None, *, as_json: AsJson = False) -> None:
    """Create a new key for a client, which keeps its files, limits and usage; the old keys end after the overlap."""
    now = time.time()
    overlap_s = _seconds(overlap, "--overlap")
    expires_in_s = None if expires is None else _seconds(expires, "--expires")
    made = managing(lambda keys: keys.rotate(name, now=now, overlap_s=overlap_s, expires_in_s=expires_in_s))
    _show_new(made, as_json=as_json)
    _note(f"The keys it had are good until {_date(now + overlap_s)} at the latest.")


@keys_cli.command()
def revoke(name: Name, *, as_json: AsJson = False) -> None:
    """End a client for good, with all its keys and tokens, within 10 seconds."""
    now = time.time()
    managing(lambda keys: keys.revoke(name, now=now))
    if as_json:
        print_json({"name": name, "revoked_at": _date(now)})
    else:
        print_line(f"{name} is revoked.")


def make_first_key(settings: Settings) -> NewKey | None:
    """Return the new key named `default` if the store has never had a client; None otherwise."""
    return managing(lambda keys: keys.create_first(now=time.time()), settings)


def managing(work: Callable[[Keys], Awaitable[T]], settings: Settings | None = None) -> T:
    """Run work on the store's keys; an error ends the command with a line that describes it."""
    url = (settings or read(Settings)).database_url

    async def run() -> T:
        async with open_database(url) as database:
            return await work(Keys(ClientStore(database)))

    try:
        return asyncio.run(run())
    except KeyManagementError as error:
        _note(f"gemini-gateway: {error}")
        raise typer.Exit(1) from None
    except (GatewayError, OSError, SQLAlchemyError):
        # The driver's message may contain the database's address and password.
        raise SettingsError("DATABASE_URL: the database cannot be opened, or did not answer") from None


def print_line(line: str) -> None:
    """Print a line to stdout."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _note(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def print_json(value: object) -> None:
    """Print a value as JSON to stdout."""
    print_line(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _date(seconds: float | None) -> str | None:
    # RFC 3339, whole seconds.
    if seconds is None:
        return None
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def _show_new(made: NewKey, *, as_json: bool) -> None:
    client = made.client
    if as_json:
        print_json(
            {
                "id": client.id,
                "name": client.name,
                "key": made.text,
                "expires_at": _date(made.expires_at),
                "scopes": sorted(client.scopes),
                "models": None if client.models is None else sorted(client.models),
                "origins": None if client.origins is None else sorted(client.origins),
                "limits": named_limits(client.limits, client.total_limits),
            }
        )
        return
    _note(
        f"The key of {client.name}, good {_until(made.expires_at)}. It is shown this once, and only its hash is kept:"
    )
    print_line(made.text)


def _until(expires_at: float | None) -> str:
    return "until it is revoked" if expires_at is None else f"until {_date(expires_at)}"


def _state(client: ClientRecord, key: KeyRecord, now: float) -> str:
    if client.revoked_at is not None or key.revoked_at is not None:
        return "revoked"
    return "good" if key.is_live(now) else "expired"


def _row(client: ClientRecord, key: KeyRecord, now: float) -> tuple[str, ...]:
    may = [*client.scopes, *(client.models or ()), *(client.origins or ())]
    limits = [f"{name}={value}" for name, value in client.limits.items()]
    return (
        client.name,
        f"gg_{key.id}_...",
        _state(client, key, now),
        _date(key.created_at) or "",
        _date(key.expires_at) or "never",
        ",".join(may) or "nothing",
        ",".join(limits) or "none",
    )


def _as_json(held: HeldKeys, now: float) -> dict[str, object]:
    client = held.client
    return {
        "id": client.id,
        "name": client.name,
        "created_at": _date(client.created_at),
        "revoked_at": _date(client.revoked_at),
        "scopes": client.scopes,
        "models": client.models,
        "origins": client.origins,
        "limits": {name: client.limits.get(name) for name in LIMITS},
        "keys": [
            {
                "id": key.id,
                "state": _state(client, key, now),
                "created_at": _date(key.created_at),
                "expires_at": _date(key.expires_at),
                "revoked_at": _date(key.revoked_at),
            }
            for key in held.keys
        ],
    }
