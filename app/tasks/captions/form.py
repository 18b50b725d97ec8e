"""The form of a caption."""

from app.tasks.forms import TaskForm


class CaptionForm(TaskForm):
    """A picture to describe."""
