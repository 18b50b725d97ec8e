"""Every knob of the gateway: typed, documented, read from the environment or a `.env` file, and from nowhere else.

A wrong value stops the start with one line that names it. Secrets are `SecretStr`: they show in no log, error or repr.
This module knows nothing of HTTP, Gemini or the database beyond their addresses.
"""

import json
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MIB = 1 << 20
GIB = 1 << 30

SHIPPED_ALIASES = {
    "gemini-2.0-flash": "gemini-3.5-flash-lite",
    "gemini-2.0-flash-001": "gemini-3.5-flash-lite",
    "gemini-2.0-flash-lite": "gemini-3.5-flash-lite",
    "gemini-2.0-flash-lite-001": "gemini-3.5-flash-lite",
    "gemini-2.5-flash": "gemini-3.5-flash-lite",
    "gemini-2.5-flash-lite": "gemini-3.5-flash-lite",
    "gemini-2.5-pro": "gemini-3.8-flash",
}
"""What Google names as the replacement of a model that is shut down (models reference, section 7)."""


AuthMethod = Literal["keys", "jwt", "none"]
NativeResource = Literal["models", "files", "cachedContents", "batches", "interactions", "live", "openai"]
SigningAlgorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""How an identity provider may sign: always with a key of its own that it alone has."""
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


class SettingsError(Exception):
    """A setting with a wrong value; the message is one line that names it."""


def is_trusted_url(url: str) -> bool:
    """Whether what a URL gives may be trusted to come from there: https, or http on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _THIS_MACHINE))


class IssuerSettings(BaseModel):
    """An identity provider whose signed tokens (JWTs) are taken, and what their holders may do."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    issuer: str = Field(min_length=1, max_length=1_000)
    audience: tuple[str, ...] = Field(min_length=1)
    jwks_url: str | None = None
    algorithms: tuple[SigningAlgorithm, ...] = Field(("RS256", "ES256"), min_length=1)
    name_claim: str | None = None
    scopes_claim: str | None = None
    scopes: tuple[str, ...] | None = None
    limits: dict[str, float] = {}

    @field_validator("audience", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("audience")
    @classmethod
    def _none_is_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(value):
            raise ValueError("must not be empty")
        return value

    @model_validator(mode="after")
    def _keys_come_from_where_they_say(self) -> "IssuerSettings":
        if not is_trusted_url(self.jwks_url or self.issuer):
            raise ValueError("jwks_url, or without it issuer, must begin with https:// (http:// only on this machine)")
        return self


def _split_list(value: object) -> object:
    """Split what stands in a variable at its commas; hosts and origins have no slash at their end."""
    if isinstance(value, str):
        return tuple(item for item in (piece.strip().rstrip("/") for piece in value.split(",")) if item)
    return value


class _Environment(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
    )


LimitedCount = Annotated[int | None, Field(ge=0, le=10**15)]
LimitedMoney = Annotated[float | None, Field(ge=0, le=1e9)]
IssuerName = Annotated[str, Field(min_length=1, max_length=255)]


class LimitValues(BaseModel):
    """Limits as they are set; None is without. Money is US dollars, days and months are UTC's."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    requests_per_minute: LimitedCount = None
    tokens_per_minute: LimitedCount = None
    tokens_per_day: LimitedCount = None
    tokens_per_month: LimitedCount = None
    cost_per_day: LimitedMoney = None
    cost_per_month: LimitedMoney = None
    concurrent_requests: LimitedCount = None
    bytes_per_day: LimitedCount = None
    max_file_bytes: LimitedCount = None
    stored_bytes: LimitedCount = None


class Settings(_Environment):
    """The gateway's settings; the field's name in capitals is the environment variable."""

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
    inline_limit_bytes: int = Field(
        20_000_000, ge=1_000, le=100_000_000, description="Largest encoded request with inline media, in bytes."
    )
    pdf_inline_limit_bytes: int = Field(
        50_000_000, ge=1_000, le=50_000_000, description="Largest PDF (its own bytes) that is sent inline."
    )
    upstream_unknown_length: Literal["auto", "yes", "no"] = Field(
        "auto", description="Whether Gemini takes uploads of unknown length; `auto` tries and remembers a refusal."
    )
    upstream_connections: int = Field(200, ge=4, le=10_000, description="Connections to Gemini at most, all together.")
    upstream_upload_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Further origins (comma-separated) where an upload session's URL may point."
    )
    chunk_bytes: int = Field(
        8 * MIB, ge=262_144, le=64 * MIB, multiple_of=262_144, description="Bytes of one upload chunk."
    )
    max_uploads: int = Field(64, ge=1, description="Uploads that stream at the same time in one process.")
    database_url: str = Field(
        "sqlite+aiosqlite:///./data/gateway.db",
        repr=False,
        description="The registry: SQLite, or postgresql+asyncpg://... It may hold a password, so it is never shown.",
    )
    secret_key: SecretStr | None = Field(
        None, min_length=32, description="Encrypts what is stored; made once beside SQLite when unset."
    )
    client_auth: Annotated[frozenset[AuthMethod] | None, NoDecode] = Field(
        None,
        description="How clients prove who they are: `keys`, `jwt` or both (comma-separated), or `none`, which leaves "
        "the gateway open. Unset, it is `keys`, and `jwt` where an issuer is set.",
    )
    jwt_issuer: str | None = Field(None, description="The identity provider whose tokens (JWTs) are taken: its `iss`.")
    jwt_audience: str | None = Field(None, description="The `aud` that such a token must have; needed with JWT_ISSUER.")
    jwt_issuers: Annotated[tuple[IssuerSettings, ...], NoDecode] = Field(
        (), description="JSON list of several identity providers, or of one with more to say about it."
    )
    app_check: Annotated[IssuerSettings | None, NoDecode] = Field(
        None, description="JSON object of the issuer whose App Check token every call needs besides its credential."
    )
    allow_open_access: bool = Field(
        False, description="With CLIENT_AUTH=none: allow an address other than loopback to be bound."
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Host names (comma-separated) that are served, besides loopback and the bound address."
    )
    public_url: str | None = Field(
        None, description="The gateway's own address as clients see it; its host is allowed."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins (comma-separated) whose pages may call; in `dev` every loopback origin may."
    )
    redis_url: SecretStr | None = Field(
        None, description="Where rates and concurrency are counted for all replicas; in this process when unset."
    )
    limits_on_outage: Literal["local", "refuse", "allow"] = Field(
        "local", description="While Redis is away: count in each process, refuse limited calls, or let them through."
    )
    reserved_output_tokens: int = Field(
        8_192, ge=1, description="Output tokens that a call reserves when it sets no max_output_tokens."
    )
    gateway_limits: Annotated[LimitValues | None, NoDecode] = Field(
        None, description="JSON object: limits of all clients together, by their names."
    )
    issuer_limits: Annotated[dict[IssuerName, LimitValues] | None, NoDecode] = Field(
        None, description="JSON object: an issuer, to the limits of all its clients together."
    )
    max_file_bytes: int = Field(2 * GIB, ge=1, le=2 * GIB, description="Largest file, in bytes.")
    max_fields_bytes: int = Field(1 * MIB, ge=1_024, description="All of a form's fields together, in bytes.")
    max_parts: int = Field(1_000, ge=1, le=10_000, description="Parts of a form at most.")
    max_buffered_bytes: int = Field(
        256 * MIB, ge=1 * MIB, description="Inline media held in memory by the process, in bytes."
    )
    max_pixels: int = Field(
        50_000_000, ge=10_000, le=500_000_000, description="Pixels of a picture that is decoded here, at most."
    )
    max_pdf_pages: int = Field(1_000, ge=1, description="Pages of a PDF at most, where they are known beforehand.")
    max_continuations: int = Field(
        8, ge=0, le=100, description="How often a task's answer that was cut is continued, at most."
    )
    decoders: int = Field(2, ge=1, le=64, description="Processes that decode pictures and count pages.")
    decode_timeout_s: float = Field(20, gt=0, description="Time to decode or draw one picture.")
    decode_memory_bytes: int = Field(
        2 * GIB, ge=256 * MIB, description="Memory of one decoding process; a picture of 50 megapixels needs 1 GiB."
    )
    request_timeout_s: float = Field(600, gt=0, description="A request's time from the end of its body to its answer.")
    chunk_timeout_s: float = Field(120, gt=0, description="Time for one upload chunk to be acknowledged.")
    connect_timeout_s: float = Field(10, gt=0, description="Time to connect to Gemini.")
    file_ready_timeout_s: float = Field(300, gt=0, description="Time that a call waits for its files to be ready.")
    idle_timeout_s: float = Field(60, gt=0, description="A body that sends nothing for so long is refused with 408.")
    header_timeout_s: float = Field(10, gt=0, description="Time for a request's headers to arrive.")
    min_body_rate: int = Field(
        1_024, ge=0, description="Bytes a second a body must reach on average after its first 10 s; 0 sets no minimum."
    )
    files_high_water_bytes: int = Field(
        16_000_000_000, ge=0, description="Stored bytes of the project above which kept files make room."
    )
    stored_bytes_per_client: int = Field(5_000_000_000, ge=0, description="Stored bytes of one client at most.")
    ledger_flush_s: float = Field(
        2, gt=0, le=60, description="How often the usage ledger is written; a crash loses at most what came since."
    )
    ledger_days: int = Field(400, ge=1, le=36_500, description="How many days a call stays in the usage ledger.")
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
    models_cache_s: float = Field(600, ge=0, description="How long the list of models is kept.")
    shutdown_grace_s: int = Field(30, ge=0, description="How long running calls may go on after SIGTERM.")

    _split = field_validator("allowed_hosts", "cors_origins", "upstream_upload_origins", mode="before")(_split_list)

    @field_validator("native_resources", mode="before")
    @classmethod
    def _split_resources(cls, value: object) -> object:
        if isinstance(value, str):
            names = frozenset(item for item in (piece.strip() for piece in value.split(",")) if item)
            return frozenset() if names == {"none"} else names
        return value

    @field_validator("client_auth", mode="before")
    @classmethod
    def _split_to_set(cls, value: object) -> object:
        if isinstance(value, str):
            return frozenset(item for item in (piece.strip() for piece in value.split(",")) if item) or None
        return value

    @field_validator("client_auth")
    @classmethod
    def _none_stands_alone(cls, value: frozenset[AuthMethod] | None) -> frozenset[AuthMethod] | None:
        if value is not None and "none" in value and len(value) > 1:
            raise ValueError("none stands alone")
        return value

    @field_validator("model_aliases", "app_check", "gateway_limits", "issuer_limits", mode="before")
    @classmethod
    def _parse(cls, value: object) -> object:
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError:
            raise ValueError("must be a JSON object") from None

    @field_validator("jwt_issuers", mode="before")
    @classmethod
    def _parse_list(cls, value: object) -> object:
        try:
            parsed = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            parsed = None
        if not isinstance(parsed, list | tuple):
            raise ValueError("must be a JSON list")  # noqa: TRY004  # pydantic's validators raise this one
        return parsed

    @field_validator("gemini_base_url", "public_url")
    @classmethod
    def _is_http_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must begin with http:// or https:// and a host")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _is_known_database(cls, value: str) -> str:
        if not value.startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
            raise ValueError("must begin with sqlite+aiosqlite:// or postgresql+asyncpg://")
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return value

    @model_validator(mode="after")
    def _needs_a_shared_secret(self) -> "Settings":
        if self.database_url.startswith("postgresql") and self.secret_key is None:
            raise ValueError("SECRET_KEY: is required with PostgreSQL, the same on every replica")
        return self

    @model_validator(mode="after")
    def _names_its_issuers_whole(self) -> "Settings":
        if (self.jwt_issuer is None) != (self.jwt_audience is None):
            raise ValueError("JWT_AUDIENCE: is set together with JWT_ISSUER, or neither is")
        if self.jwt_issuer is not None and not is_trusted_url(self.jwt_issuer):
            raise ValueError("JWT_ISSUER: must begin with https:// (http:// only on this machine)")
        names = [issuer.issuer for issuer in self.issuers]
        if len(set(names)) < len(names):
            raise ValueError("JWT_ISSUERS: names an issuer twice; give it a list as its audience instead")
        if "jwt" in self.auth_methods and not names:
            raise ValueError("JWT_ISSUER: is needed for CLIENT_AUTH=jwt, with JWT_AUDIENCE; or JWT_ISSUERS")
        return self

    @property
    def issuers(self) -> tuple[IssuerSettings, ...]:
        """The identity providers of both forms."""
        if self.jwt_issuer is None or self.jwt_audience is None:
            return self.jwt_issuers
        return (*self.jwt_issuers, IssuerSettings(issuer=self.jwt_issuer, audience=(self.jwt_audience,)))

    @property
    def auth_methods(self) -> frozenset[AuthMethod]:
        """How clients prove who they are, also when nothing was said of it."""
        if self.client_auth is not None:
            return self.client_auth
        return frozenset({"keys", "jwt"} if self.jwt_issuer is not None or self.jwt_issuers else {"keys"})

    @property
    def is_open(self) -> bool:
        """Whether everyone who reaches the gateway may use it."""
        return self.auth_methods == {"none"}


class EmulatorSettings(_Environment):
    """The emulator's settings, prefixed with EMULATOR_; they go to it as plain values."""

    model_config = SettingsConfigDict(env_prefix="EMULATOR_")

    processing_delay_s: float = Field(0.5, ge=0, description="How long an uploaded video is PROCESSING.")
    stream_chunk_delay_s: float = Field(0, ge=0, description="Pause between the chunks of a streamed answer.")
    batch_delay_s: float = Field(0.5, ge=0, description="How long a batch takes to be done.")
    background_delay_s: float = Field(0.5, ge=0, description="How long a background interaction takes to be done.")
    project_quota_bytes: int = Field(20_000_000_000, ge=0, description="Stored bytes before uploads are refused.")
    refuse_unknown_length: bool = Field(False, description="Refuse uploads that declare no length.")
    requests_per_minute: int | None = Field(None, ge=1, description="Model calls a minute before 429.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins (comma-separated) whose pages may call it, as any page may call Gemini."
    )

    _split = field_validator("cors_origins", mode="before")(_split_list)


S = TypeVar("S", bound=_Environment)


def read(kind: type[S], **overrides: object) -> S:
    """Read settings from the environment and `.env`; overrides win.

    Raises SettingsError with one line that names the variable, what is wrong with it, and never a secret's value.
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
