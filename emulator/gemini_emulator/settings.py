"""The settings of the command `gemini-emulator`, each from an environment variable that begins with EMULATOR_."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gemini_emulator.config import EmulatorConfig
from gemini_emulator.splitting import SplitMode


class EmulatorSettings(BaseSettings):
    """Emulator: how the emulator of the Gemini API behaves."""

    model_config = SettingsConfigDict(
        env_prefix="EMULATOR_",
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
    )

    processing_delay_s: float = Field(0.5, ge=0, description="Seconds for which an uploaded video is `PROCESSING`.")
    stream_chunk_delay_s: float = Field(0, ge=0, description="Seconds between the chunks of a streamed answer.")
    batch_delay_s: float = Field(0.5, ge=0, description="Seconds until a batch is done.")
    background_delay_s: float = Field(0.5, ge=0, description="Seconds until a background interaction is done.")
    project_quota_bytes: int = Field(20_000_000_000, ge=0, description="Stored bytes above which uploads are refused.")
    refuse_unknown_length: bool = Field(False, description="Whether uploads without a declared length are refused.")
    requests_per_minute: int | None = Field(
        None, ge=1, description="Model calls per minute before a 429; if unset, there is no limit."
    )
    hop_tokens: int | None = Field(
        None, ge=1, description="Tokens per request of a long decode; if unset, 65,536 streamed and 32,768 whole."
    )
    split_answers: SplitMode = Field(
        SplitMode.NONE,
        description="Send each answer in one piece (`none`), in `two` pieces cut anywhere, or in `bytes`, one by one.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins (comma-separated) whose pages may call the emulator directly."
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(item for item in (piece.strip().rstrip("/") for piece in value.split(",")) if item)
        return value

    @property
    def config(self) -> EmulatorConfig:
        """Return the settings as the emulator takes them."""
        return EmulatorConfig(**self.model_dump(exclude={"cors_origins"}))
