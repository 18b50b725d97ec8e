"""Settings of the addresses at which the gateway is reached."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from app.settings.environment import Environment, check_http_url, split_list


class EdgeSettings(Environment):
    """Edge: the addresses at which the gateway is reached."""

    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Host names (comma-separated) that are served besides loopback and the bound address."
    )
    public_url: str | None = Field(
        None, description="The gateway's own address as clients see it; its host is allowed."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins (comma-separated) whose pages may call; in `dev` also every loopback origin."
    )

    _split_lists = field_validator("allowed_hosts", "cors_origins", mode="before")(split_list)
    _check_public_url = field_validator("public_url")(check_http_url)
