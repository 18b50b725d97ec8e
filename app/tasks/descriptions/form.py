"""The form of a video description."""

from pydantic import Field

from app.api.fields import FramesPerSecond
from app.tasks.forms import PassageForm


class VideoForm(PassageForm):
    """A video to describe scene by scene."""

    fps: FramesPerSecond | None = Field(None, description="Frames per second that Gemini samples.")
