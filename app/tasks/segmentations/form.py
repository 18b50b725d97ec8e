"""The form of a segmentation."""

from typing import Literal

from pydantic import Field

from app.tasks.detections.form import DetectionForm

MaskPlacement = Literal["cropped", "full", "none"]


class SegmentationForm(DetectionForm):
    """A picture to outline objects in."""

    mask: MaskPlacement | None = Field(
        None, description="cropped to the box (the default), full (as large as the picture), or none."
    )
