"""The forms of transcriptions and subtitles."""

from typing import Literal

from pydantic import Field

from app.tasks.forms import Language, PassageForm

SubtitleFormat = Literal["srt", "vtt", "text"]


class TranscriptionForm(PassageForm):
    """Sound to transcribe."""

    translate_to: Language | None = Field(None, description="Language to write in, instead of the spoken language.")


class SubtitlesForm(TranscriptionForm):
    """Sound to make subtitles for."""

    format: SubtitleFormat | None = Field(None, description="srt (the default), vtt or text.")
