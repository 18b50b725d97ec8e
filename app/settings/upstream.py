"""Settings of the connection to Gemini: the key, the address, the models, and which calls are allowed."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from app.settings.environment import Environment, check_http_url, parse_object, split_list, split_set

NativeResource = Literal["models", "files", "cachedContents", "batches", "interactions", "live", "openai"]

# Google names these replacements for the models that it has shut down (models reference, section 7).
SHIPPED_ALIASES = {
    "gemini-2.0-flash": "gemini-3.5-flash-lite",
    "gemini-2.0-flash-001": "gemini-3.5-flash-lite",
    "gemini-2.0-flash-lite": "gemini-3.5-flash-lite",
    "gemini-2.0-flash-lite-001": "gemini-3.5-flash-lite",
    "gemini-2.5-flash": "gemini-3.5-flash-lite",
    "gemini-2.5-flash-lite": "gemini-3.5-flash-lite",
    "gemini-2.5-pro": "gemini-3.8-flash",
}


class UpstreamSettings(Environment):
    """Gemini: the key, the address, the models, and which calls are allowed."""

    gemini_api_key: SecretStr | None = Field(None, description="The key of the Gemini API. `serve` needs it.")
    gemini_api_key_file: Path | None = Field(
        None, description="A file that holds the key (Docker secrets); used when GEMINI_API_KEY is unset."
    )
    gemini_base_url: str = Field(
        "https://generativelanguage.googleapis.com", description="Where the Gemini API is: scheme, host, port."
    )
    gemini_default_model: str = Field("gemini-3.8-flash", description="The model when a call names none.")
    model_aliases: Annotated[dict[str, str], NoDecode] = Field(
        SHIPPED_ALIASES, description="JSON object: a model's name as clients send it, to the model that is asked."
    )
    models_file: Path | None = Field(
        None, description="A JSON file of what models accept, cost and ignore, in place of the one shipped."
    )
    models_cache_s: float = Field(600, ge=0, description="How long the list of models is kept.")
    upstream_connections: int = Field(200, ge=4, le=10_000, description="Connections to Gemini at most, all together.")
    upstream_unknown_length: Literal["auto", "yes", "no"] = Field(
        "auto", description="Whether Gemini takes uploads of unknown length; `auto` tries and remembers a refusal."
    )
    upstream_upload_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Further origins (comma-separated) where an upload session's URL may point."
    )
    allow_https_urls: bool = Field(False, description="Whether calls may name https URLs for Gemini to fetch.")
    native_resources: Annotated[frozenset[NativeResource], NoDecode] = Field(
        frozenset(get_args(NativeResource)),
        description="What of Google's own paths is served (comma-separated): `models`, `files`, `cachedContents`, "
        "`batches`, `interactions`, `live`, `openai`; `none` closes all.",
    )
    allow_deferred_costs: bool = Field(
        False,
        description="Whether clients with limits in tokens or money may use what costs later: batches, caches, "
        "background interactions, Live.",
    )
    max_native_body_bytes: int = Field(
        105_000_000, ge=1_000_000, le=1_000_000_000, description="Largest JSON body on Google's own paths, in bytes."
    )

    _split_origins = field_validator("upstream_upload_origins", mode="before")(split_list)
    _parse_aliases = field_validator("model_aliases", mode="before")(parse_object)
    _check_base_url = field_validator("gemini_base_url")(check_http_url)

    @field_validator("native_resources", mode="before")
    @classmethod
    def _split_resources(cls, value: object) -> object:
        names = split_set(value)
        return frozenset() if names == {"none"} else names
