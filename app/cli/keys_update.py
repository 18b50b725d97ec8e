"""The command `gemini-gateway keys update`: changes the permissions and limits of a client, without a new key."""

from typing import Annotated

import typer

from app.cli.keys import (
    Models,
    Name,
    Origins,
    hint_total,
    managing,
    models_of,
    origins_of,
    print_json,
    print_line,
    words_of,
)
from app.clients.keys import LIMITS, scopes_of, split_limits
from app.store.clients import KEEP

ALL = "all"
NONE = "none"
_Scopes = Annotated[str | None, typer.Option(help="The scopes from now on, comma-separated.", metavar="LIST")]
_Limits = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        help="A limit by its name, total_... for all users of the key together; none removes the limit; repeatable.",
        metavar="NAME=VALUE",
    ),
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def update(
    name: Name,
    scopes: _Scopes = None,
    models: Models = None,
    origins: Origins = None,
    limits: _Limits = None,
    *,
    as_json: _AsJson = False,
) -> None:
    """Change a client's permissions and limits within 10 seconds; its keys stay. `all` removes the restriction."""
    try:
        chosen = None if scopes is None else scopes_of(words_of(scopes) or ())
        changed = dict(map(_limit, limits or ()))
        only = KEEP if models is None else None if models == ALL else models_of(models)
        pages = KEEP if origins is None else None if origins == ALL else origins_of(origins)
        record = managing(lambda keys: keys.update(name, scopes=chosen, models=only, origins=pages, limits=changed))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    # A limit of a later version is in the database too, and unknown here.
    _, total_limits = split_limits({name: value for name, value in record.limits.items() if name in LIMITS})
    hint_total(name, total_limits)
    if as_json:
        told = {"scopes": record.scopes, "models": record.models, "origins": record.origins, "limits": record.limits}
        print_json({"id": record.id, "name": record.name, **told})
    else:
        print_line(f"{name} is changed.")


def _limit(text: str) -> tuple[str, float | None]:
    limit, _, value = text.partition("=")
    try:
        return limit.strip().replace("-", "_"), None if value.strip() == NONE else float(value)
    except ValueError:
        raise ValueError(f"--limit {text!r} is not NAME=VALUE with a number, or NAME=none") from None
