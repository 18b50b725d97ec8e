"""Settings of the gateway's clients: how they authenticate."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from app.settings.environment import Environment, parse_object, split_set
from app.settings.trust import is_trusted_url

AuthMethod = Literal["keys", "jwt", "none"]
# Asymmetric algorithms only: the provider alone holds the signing key.
SigningAlgorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class IssuerSettings(BaseModel):
    """An identity provider whose signed tokens (JWTs) are accepted, and the rights of their holders."""

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
    def _accept_a_single_audience(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("audience")
    @classmethod
    def _refuse_an_empty_audience(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(value):
            raise ValueError("must not be empty")
        return value

    @model_validator(mode="after")
    def _require_a_trusted_key_url(self) -> "IssuerSettings":
        if not is_trusted_url(self.jwks_url or self.issuer):
            raise ValueError("jwks_url, or without it issuer, must begin with https:// (http:// only on this machine)")
        return self


class ClientSettings(Environment):
    """Clients: how they authenticate."""

    client_auth: Annotated[frozenset[AuthMethod] | None, NoDecode] = Field(
        None,
        description="How clients authenticate: `keys`, `jwt` or both (comma-separated), or `none` for an open "
        "gateway. If unset: `keys`, and also `jwt` if an issuer is set.",
    )
    allow_open_access: bool = Field(
        False, description="With `CLIENT_AUTH=none` or `dev`: allow an address other than loopback."
    )
    jwt_issuer: str | None = Field(
        None, description="The identity provider whose tokens (JWTs) are accepted: its `iss`."
    )
    jwt_audience: str | None = Field(None, description="The `aud` that a token of `JWT_ISSUER` must have.")
    jwt_issuers: Annotated[tuple[IssuerSettings, ...], NoDecode] = Field(
        (), description="JSON list of identity providers, for several providers or further options of one."
    )
    app_check: Annotated[IssuerSettings | None, NoDecode] = Field(
        None, description="JSON object of the issuer whose App Check token every call needs besides its credential."
    )
    secret_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="Encrypts stored secrets and signs clients' tokens; at least 32 characters. If unset, created "
        "once beside SQLite; required with PostgreSQL.",
    )

    _parse_app_check = field_validator("app_check", mode="before")(parse_object)

    @field_validator("client_auth", mode="before")
    @classmethod
    def _split_methods(cls, value: object) -> object:
        return split_set(value) or None

    @field_validator("client_auth")
    @classmethod
    def _refuse_none_with_others(cls, value: frozenset[AuthMethod] | None) -> frozenset[AuthMethod] | None:
        if value is not None and "none" in value and len(value) > 1:
            raise ValueError("the method none cannot be combined with other methods")
        return value

    @field_validator("jwt_issuers", mode="before")
    @classmethod
    def _parse_issuers(cls, value: object) -> object:
        try:
            parsed = parse_object(value)
        except ValueError:
            parsed = None
        if not isinstance(parsed, list | tuple):
            raise ValueError("must be a JSON list")  # noqa: TRY004  # pydantic's validators raise this one
        return parsed

    @model_validator(mode="after")
    def _require_whole_issuers(self) -> "ClientSettings":
        if (self.jwt_issuer is None) != (self.jwt_audience is None):
            raise ValueError("JWT_AUDIENCE: must be set together with JWT_ISSUER")
        if self.jwt_issuer is not None and not is_trusted_url(self.jwt_issuer):
            raise ValueError("JWT_ISSUER: must begin with https:// (http:// only on this machine)")
        names = [issuer.issuer for issuer in self.issuers]
        if len(set(names)) < len(names):
            raise ValueError("JWT_ISSUERS: names an issuer twice; give this issuer a list as its audience instead")
        if "jwt" in self.auth_methods and not names:
            raise ValueError("JWT_ISSUER: CLIENT_AUTH=jwt needs JWT_ISSUER with JWT_AUDIENCE, or JWT_ISSUERS")
        return self

    @property
    def issuers(self) -> tuple[IssuerSettings, ...]:
        """Return the identity providers of JWT_ISSUERS and of JWT_ISSUER."""
        if self.jwt_issuer is None or self.jwt_audience is None:
            return self.jwt_issuers
        return (*self.jwt_issuers, IssuerSettings(issuer=self.jwt_issuer, audience=(self.jwt_audience,)))

    @property
    def auth_methods(self) -> frozenset[AuthMethod]:
        """Return the methods of authentication, with the default if CLIENT_AUTH is unset."""
        if self.client_auth is not None:
            return self.client_auth
        return frozenset({"keys", "jwt"} if self.jwt_issuer is not None or self.jwt_issuers else {"keys"})

    @property
    def is_open(self) -> bool:
        """Whether the gateway serves callers without a credential."""
        return self.auth_methods == {"none"}
