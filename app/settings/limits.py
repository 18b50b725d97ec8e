"""Settings of limits: how much clients may use, and how large a request may be."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from app.settings.environment import MIB, Environment, parse_object

LimitedCount = Annotated[int | None, Field(ge=0, le=10**15)]
LimitedMoney = Annotated[float | None, Field(ge=0, le=1e9)]
IssuerName = Annotated[str, Field(min_length=1, max_length=255)]


class LimitValues(BaseModel):
    """Limits by name; None sets no limit. Money is US dollars, days and months are UTC's."""

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


class LimitSettings(Environment):
    """Limits: how much clients may use, and how large a request may be."""

    client_share: float = Field(
        0.75,
        gt=0,
        le=1,
        description="Part of the connections to Gemini that one key or issuer may use, if no other waits for them. An "
        "open gateway cannot tell its clients apart and uses all.",
    )
    gateway_limits: Annotated[LimitValues | None, NoDecode] = Field(
        None, description="JSON object of limits for all clients together, by the limits' names."
    )
    issuer_limits: Annotated[dict[IssuerName, LimitValues] | None, NoDecode] = Field(
        None, description="JSON object that maps an issuer to the limits for all its clients together."
    )
    redis_url: SecretStr | None = Field(
        None,
        description="The Redis that counts rates and concurrency for all replicas (`redis://`, `rediss://`, "
        "`unix://`). If unset, each process counts its own.",
    )
    limits_on_outage: Literal["local", "refuse", "allow"] = Field(
        "local",
        description="While Redis is unavailable: `local` counts in each process, `refuse` answers limited calls "
        "with 503, `allow` admits them.",
    )
    reserved_output_tokens: int = Field(
        8_192, ge=1, description="Output tokens that a call without `max_output_tokens` reserves."
    )
    stored_bytes_per_client: int = Field(
        5_000_000_000, ge=0, description="Largest number of stored bytes of one client."
    )
    max_fields_bytes: int = Field(
        1 * MIB, ge=1_024, description="Largest size of all fields of a form together, in bytes."
    )
    max_parts: int = Field(1_000, ge=1, le=10_000, description="Largest number of parts of a form.")

    _parse_limits = field_validator("gateway_limits", "issuer_limits", mode="before")(parse_object)

    @field_validator("gateway_limits", "issuer_limits")
    @classmethod
    def _refuse_stored_bytes(
        cls, value: LimitValues | dict[str, LimitValues] | None
    ) -> LimitValues | dict[str, LimitValues] | None:
        # The registry knows the stored bytes of clients and keys alone: the limit would be accepted and never kept.
        limits = value.values() if isinstance(value, dict) else [value] if value is not None else []
        if any(each.stored_bytes is not None for each in limits):
            raise ValueError(
                "stored_bytes is a limit of keys and of an issuer's single users; FILES_HIGH_WATER_BYTES holds for all"
            )
        return value

    @field_validator("redis_url")
    @classmethod
    def _require_a_redis_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return value
