"""The answer of a segmentation."""

from base64 import b64encode

from pydantic import Field

from app.api.schemas import Int, ResponseModel
from app.tasks.answers import FileTaskAnswer, ImageSize, OverlayImage
from app.tasks.detections.answer import DetectedObject
from app.tasks.masks import Mask


class ObjectMask(ResponseModel):
    """The pixels of an object: a PNG, white on the object, and its place in the picture."""

    png: str = Field(description="Base64.")
    x: Int
    y: Int
    width: Int
    height: Int
    area: Int = Field(description="Number of the object's pixels.")

    @classmethod
    def of(cls, mask: Mask) -> "ObjectMask":
        """Return a mask as the answer shows it."""
        png = b64encode(mask.png).decode()
        return cls(png=png, x=mask.x, y=mask.y, width=mask.width, height=mask.height, area=mask.area)


class SegmentedObject(DetectedObject):
    """An object, its place and its pixels."""

    mask: ObjectMask | None


class ImageSegmentations(FileTaskAnswer):
    """The objects of a picture, outlined."""

    image: ImageSize
    objects: list[SegmentedObject]
    dropped_count: Int = Field(description="Number of the model's objects without a usable box or a wanted label.")
    overlay: OverlayImage | None
