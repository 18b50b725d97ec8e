"""Reads settings from environment variables or a `.env` file.

A wrong value stops the start with one line that names the variable. This module knows no setting.
"""

import json
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1 << 20
GIB = 1 << 30


class SettingsError(Exception):
    """A setting with a wrong value; the message is one line that names the setting."""


class Environment(BaseSettings):
    """A group of settings. A field's name in capitals is its environment variable."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
    )


S = TypeVar("S", bound=Environment)


def read(kind: type[S], **overrides: object) -> S:
    """Return the settings of the environment and `.env`; overrides win.

    Raises SettingsError with one line that names the variable and the fault, and never holds a secret's value.
    """
    try:
        return kind(**overrides)  # type: ignore[arg-type]  # pydantic checks the values
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        message = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            raise SettingsError(message) from None
        prefix = kind.model_config.get("env_prefix", "")
        name, *inner = first["loc"]
        if inner and isinstance(inner[-1], str):
            message = f"{inner[-1]}: {message}"
        raise SettingsError(f"{prefix}{name}".upper() + f": {message}") from None


def split_list(value: object) -> object:
    """Return the items of a comma-separated text as a tuple, without a trailing slash; other values as they are."""
    if isinstance(value, str):
        return tuple(item for item in (piece.strip().rstrip("/") for piece in value.split(",")) if item)
    return value


def split_set(value: object) -> object:
    """Return the items of a comma-separated text as a frozenset; other values as they are."""
    if isinstance(value, str):
        return frozenset(item for item in (piece.strip() for piece in value.split(",")) if item)
    return value


def parse_object(value: object) -> object:
    """Return the value of a JSON text; other values as they are. Raises ValueError if the text is not JSON."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("must be a JSON object") from None


def check_http_url(value: str | None) -> str | None:
    """Return an http or https URL without a trailing slash. Raises ValueError for any other text."""
    if value is None:
        return None
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must begin with http:// or https:// and a host")
    if parts.port == 0:
        raise ValueError("must have a port from 1 to 65535, or none")
    return value.rstrip("/")


def check_origins(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return origins: scheme, host and port. Raises ValueError for any other text."""
    for value in values:
        parts = urlsplit(check_http_url(value) or "")
        if parts.path or parts.query or parts.fragment or parts.username is not None:
            raise ValueError("must be origins such as https://uploads.example, without a path")
    return values
