"""Settings of files on their way to Gemini: inside the request, or uploaded."""

from pydantic import Field

from app.settings.environment import GIB, MIB, Environment


class UploadSettings(Environment):
    """Files on their way to Gemini: inside the request, or uploaded."""

    inline_limit_bytes: int = Field(
        20_000_000, ge=1_000, le=100_000_000, description="Largest encoded request with inline media, in bytes."
    )
    pdf_inline_limit_bytes: int = Field(
        50_000_000, ge=1_000, le=50_000_000, description="Largest PDF that is sent inline, in bytes before encoding."
    )
    chunk_bytes: int = Field(
        8 * MIB, ge=262_144, le=64 * MIB, multiple_of=262_144, description="Size of an upload chunk, in bytes."
    )
    max_uploads: int = Field(64, ge=1, description="Largest number of simultaneous uploads in one process.")
    max_file_bytes: int = Field(2 * GIB, ge=1, le=2 * GIB, description="Largest file, in bytes.")
    max_buffered_bytes: int = Field(
        256 * MIB, ge=1 * MIB, description="Largest amount of inline media that the process holds in memory, in bytes."
    )
    files_high_water_bytes: int = Field(
        16_000_000_000, ge=0, description="Stored bytes of the project above which kept files are deleted to make room."
    )
