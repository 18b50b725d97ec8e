"""The form of a segmentation."""

from typing import Literal

from pydantic import Field

from app.tasks.detections.form import DetectionForm

MaskPlacement = Literal["cropped", "full", "none"]


class SegmentationForm(DetectionForm):
    """A picture in which objects are outlined."""

    mask: MaskPlacement | None = Field(
        None, description="Masks cropped to their boxes (the default), as large as the picture, or none."
    )
