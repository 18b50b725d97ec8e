"""Tasks on one picture: boxes and masks of its shapes, and a caption that names them.

Of several pictures the first is meant. One that is not there or cannot be read shows nothing.
"""

from collections.abc import Mapping, Sequence

from gemini_emulator.generation.media import MediaPart
from gemini_emulator.generation.tasks.boxes import covering_box, nearest_box
from gemini_emulator.generation.tasks.masks import mask_url
from gemini_emulator.generation.tasks.outline import Outline
from gemini_emulator.generation.tasks.recognition import Task
from gemini_emulator.generation.tasks.wording import listed, with_article
from gemini_emulator.senses.kinds import Kind, kind_of
from gemini_emulator.senses.pictures import Picture, Shape, see_picture
from gemini_emulator.senses.unreadable import UnreadableMediaError


def pictures_of(media: Sequence[MediaPart]) -> list[MediaPart]:
    """Return the pictures of a prompt, in its order."""
    return [part for part in media if kind_of(part.mime_type) is Kind.IMAGE]


def see(part: MediaPart) -> Picture | None:
    """Look at a picture; None for one that cannot be read, or lies where the emulator does not look."""
    try:
        return see_picture(part.data)
    except UnreadableMediaError:
        return None


def detect(task: Task, media: Sequence[MediaPart], _: str) -> object:
    """Return the shapes of the first picture: boxes, labels and, if the schema has them, masks."""
    pictures = pictures_of(media)
    picture = see(pictures[0]) if pictures else None
    if picture is None:
        return task.listing([])
    has_masks = task.items.has("mask")
    found = [(shape, _label(shape, task.items.property("label"))) for shape in picture.shapes]
    return task.listing([_item(shape, label, picture, has_masks) for shape, label in found if label is not None])


def caption(_: Task, media: Sequence[MediaPart], __: str) -> object:
    """Return a caption with the size and shapes of the first picture."""
    pictures = pictures_of(media)
    if not pictures:
        return {"caption": "", "alt_text": "", "tags": []}
    picture = see(pictures[0])
    if picture is None:
        text = "a picture that cannot be read"
        return {"caption": f"Emulated: {text}", "alt_text": text.capitalize() + ".", "tags": []}
    shown = listed([with_article(shape.label) for shape in picture.shapes]) or "no coloured shapes"
    tags = [*(shape.colour for shape in picture.shapes), *(shape.kind for shape in picture.shapes)]
    return {
        "caption": f"Emulated: {picture.width}x{picture.height} picture with {shown}",
        "alt_text": f"{shown[0].upper()}{shown[1:]}.",
        "tags": list(dict.fromkeys(tags)),
    }


def _item(shape: Shape, label: str, picture: Picture, has_mask: bool) -> Mapping[str, object]:
    size = picture.width, picture.height
    if not has_mask:
        return {"box_2d": list(nearest_box(shape.box, *size)), "label": label}
    box = covering_box(shape.box, *size)
    return {"box_2d": list(box), "mask": mask_url(shape, box, *size), "label": label}


def _label(shape: Shape, schema: Outline) -> str | None:
    """Return the label of a shape: its own, or the wanted label that means it; None without a matching label."""
    wanted = schema.members
    if wanted is None:
        return shape.label
    words = set(shape.label.split())
    fitting = [one for one in wanted if isinstance(one, str) and one.split() and set(one.casefold().split()) <= words]
    # What says most comes first: "red rectangle" before "red".
    return max(fitting, key=lambda one: len(set(one.casefold().split())), default=None)
