"""The answer of a detection."""

from typing import Any, Self

from pydantic import Field

from app.api.schemas import Int, ResponseModel
from app.tasks.answers import FileTaskAnswer, ImageSize, OverlayImage, PixelBox
from app.tasks.detections.question import FoundObject


class DetectedObject(ResponseModel):
    """An object and its place."""

    label: str
    box: PixelBox
    box_2d: list[Int] = Field(description="ymin, xmin, ymax, xmax in thousandths of the picture's height and width.")

    @classmethod
    def of(cls, found: FoundObject, **more: Any) -> Self:  # noqa: ANN401  # a subclass adds fields of any type
        """Return a found object as the answer shows it; `more` are a subclass's fields."""
        return cls(label=found.label, box=PixelBox.of(found.box), box_2d=list(found.box_2d), **more)


class ImageDetections(FileTaskAnswer):
    """The objects of a picture."""

    image: ImageSize
    objects: list[DetectedObject]
    dropped_count: Int = Field(description="Number of the model's objects without a usable box or a wanted label.")
    overlay: OverlayImage | None
