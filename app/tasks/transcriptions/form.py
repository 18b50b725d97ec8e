"""The forms of transcriptions and subtitles."""

from typing import Literal

from pydantic import Field

from app.tasks.forms import Language, PassageForm

SubtitleFormat = Literal["srt", "vtt", "text"]


class TranscriptionForm(PassageForm):
    """Sound to write down."""

    translate_to: Language | None = Field(None, description="Write it in this language instead of the spoken one.")


class SubtitlesForm(TranscriptionForm):
    """Sound to make subtitles of."""

    format: SubtitleFormat | None = Field(None, description="srt (the default), vtt or text.")
