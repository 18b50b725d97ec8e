"""Settings of the media tasks and of the decoding of pictures and PDFs."""

from pydantic import Field

from app.settings.environment import GIB, MIB, Environment


class TaskSettings(Environment):
    """Tasks: their answers, and the decoding of pictures and PDFs."""

    max_continuations: int = Field(
        8, ge=0, le=100, description="How many times a task's answer is continued after a limit cut it."
    )
    max_pixels: int = Field(
        50_000_000, ge=10_000, le=500_000_000, description="Largest number of pixels of a picture that a task decodes."
    )
    max_pdf_pages: int = Field(
        1_000, ge=1, description="Largest number of pages of a PDF, checked if the count is known beforehand."
    )
    decoders: int = Field(
        2, ge=1, le=64, description="Processes that decode pictures and count pages; started when first needed."
    )
    decode_timeout_s: float = Field(20, gt=0, description="Seconds to decode or draw one picture.")
    decode_memory_bytes: int = Field(
        2 * GIB,
        ge=256 * MIB,
        description="Memory of one decoding process, in bytes; a picture of 50 megapixels needs 1 GiB.",
    )
