"""Settings of the emulator, each prefixed with EMULATOR_; the emulator gets them as plain values."""

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from app.settings.environment import Environment, split_list


class EmulatorSettings(Environment):
    """Emulator: how the built-in emulator of the Gemini API behaves."""

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

    _split_origins = field_validator("cors_origins", mode="before")(split_list)
