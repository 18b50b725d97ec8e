"""Settings of the media tasks and of the decoding of pictures and PDFs."""

from pydantic import Field

from app.settings.environment import GIB, MIB, Environment


class TaskSettings(Environment):
    """Tasks: their answers, and the decoding of pictures and PDFs."""

    max_continuations: int = Field(
        8, ge=0, le=100, description="How often a task's answer that was cut is continued, at most."
    )
    max_pixels: int = Field(
        50_000_000, ge=10_000, le=500_000_000, description="Pixels of a picture that is decoded here, at most."
    )
    max_pdf_pages: int = Field(1_000, ge=1, description="Pages of a PDF at most, where they are known beforehand.")
    decoders: int = Field(2, ge=1, le=64, description="Processes that decode pictures and count pages.")
    decode_timeout_s: float = Field(20, gt=0, description="Time to decode or draw one picture.")
    decode_memory_bytes: int = Field(
        2 * GIB, ge=256 * MIB, description="Memory of one decoding process; a picture of 50 megapixels needs 1 GiB."
    )
