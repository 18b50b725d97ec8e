"""Settings of the connection to Gemini: the key, the address, the models, and which calls are allowed."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from app.settings.environment import Environment, check_http_url, check_origins, parse_object, split_list, split_set

NativeResource = Literal["models", "files", "cachedContents", "batches", "interactions", "live", "openai"]

# Google names these replacements for the models that it has shut down (models reference, section 7).
SHIPPED_ALIASES = {
    "gemini-2.0-flash": "gemini-3.5-flash-lite",
    "gemini-2.0-flash-001": "gemini-3.5-flash-lite",
    "gemini-2.0-flash-lite": "gemini-3.5-flash-lite",
    "gemini-2.0-flash-lite-001": "gemini-3.5-flash-lite",
    "gemini-2.5-flash": "gemini-3.5-flash-lite",
    "gemini-2.5-pro": "gemini-3.8-flash",
}


class UpstreamSettings(Environment):
    """Gemini: the key, the address, the models, and which calls are allowed."""

    gemini_api_key: SecretStr | None = Field(None, description="The key of the Gemini API. `serve` needs it.")
    gemini_api_key_file: Path | None = Field(
        None,
        description="A file that holds the key (Docker secrets), used if `GEMINI_API_KEY` is unset and read again "
        "when it changes.",
    )
    gemini_base_url: str = Field(
        "https://generativelanguage.googleapis.com", description="The address of the Gemini API: scheme, host, port."
    )
    gemini_default_model: str = Field("gemini-3.8-flash", description="The model of calls that name no model.")
    model_aliases: Annotated[dict[str, str], NoDecode] = Field(
        SHIPPED_ALIASES,
        description="JSON object that maps a model's name in a request to the model that Gemini is asked for.",
    )
    models_file: Path | None = Field(
        None, description="A JSON file of the abilities and prices of models, used instead of the file that is shipped."
    )
    models_cache_s: float = Field(600, ge=0, description="Seconds for which the list of models is cached.")
    upstream_connections: int = Field(200, ge=4, le=10_000, description="Largest number of connections to Gemini.")
    upstream_unknown_length: Literal["auto", "yes", "no"] = Field(
        "auto",
        description="Whether uploads of unknown length are sent to Gemini (`yes`, `no`); `auto` tries and "
        "remembers a refusal.",
    )
    upstream_upload_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Further origins (comma-separated) to which the URL of an upload session may point."
    )
    allow_https_urls: bool = Field(False, description="Whether calls may name https URLs that Gemini fetches.")
    allow_mcp_servers: bool = Field(
        False, description="Whether calls on Google's own paths may name MCP servers that Gemini connects to."
    )
    native_resources: Annotated[frozenset[NativeResource], NoDecode] = Field(
        frozenset(get_args(NativeResource)),
        description="The resources that are served on Google's own paths (comma-separated): `models`, `files`, "
        "`cachedContents`, `batches`, `interactions`, `live`, `openai`; `none` closes all.",
    )
    allow_deferred_costs: bool = Field(
        False,
        description="Whether clients with limits in tokens or money may use batches, caches and background "
        "interactions, whose costs arise after the request.",
    )
    max_native_body_bytes: int = Field(
        105_000_000, ge=1_000_000, le=1_000_000_000, description="Largest JSON body on Google's own paths, in bytes."
    )
    max_native_json_values: int = Field(
        1_000_000,
        ge=1_000,
        le=100_000_000,
        description="Values (strings, numbers, lists, objects) in a JSON body on Google's own paths at most.",
    )

    _split_origins = field_validator("upstream_upload_origins", mode="before")(split_list)
    _check_origins = field_validator("upstream_upload_origins")(check_origins)
    _parse_aliases = field_validator("model_aliases", mode="before")(parse_object)
    _check_base_url = field_validator("gemini_base_url")(check_http_url)

    @field_validator("native_resources", mode="before")
    @classmethod
    def _split_resources(cls, value: object) -> object:
        names = split_set(value)
        return frozenset() if names == {"none"} else names
