"""The perceived content of a medium, in one line that a test can check against the medium that it sent.

    image     640x480, red rectangle [50,60,210,180], green ellipse [300,80,520,240]
    audio     7.41 s, silent 0.00-0.51, loud 0.51-2.98, silent 2.98-7.41
    video     6.00 s 320x240, red 0.00-3.00, blue 3.00-6.00, sound 6.01 s, loud 0.00-6.01
    document  3 pages: 1 "Quarterly report ..."; 2 "..."
    text      1280 characters

Boxes are x_min, y_min, x_max, y_max in pixels of the picture as displayed, half-open; times are seconds. Everything
here is synchronous and pure: the caller runs it in a thread. It knows nothing of prompts, requests and answers.
"""

from gemini_emulator.senses.documents import read_pdf
from gemini_emulator.senses.kinds import Kind, can_be, kind_of, kinds_of
from gemini_emulator.senses.pictures import see_picture
from gemini_emulator.senses.sound import Sound, hear
from gemini_emulator.senses.text import read_text
from gemini_emulator.senses.unreadable import PictureTooLargeError, UnreadableMediaError
from gemini_emulator.senses.video import is_sound_alone, video_duration, watch

__all__ = ["can_be", "duration_of", "kind_in", "perceive"]

_MAX_PAGE_CHARACTERS = 4_000
_MAX_LINE_CHARACTERS = 100_000
_MAX_LISTED = 200


def perceive(data: bytes, mime_type: str, size_bytes: int) -> str:
    """Describe a medium in one line; `unreadable` for bytes that cannot be decoded.

    Args:
        data: the file, or its beginning.
        mime_type: its declared type; parameters count only for sound without a header.
        size_bytes: the whole file's size; when `data` is less, the line ends by saying how much of it was seen.

    """
    is_cut = size_bytes > len(data)
    try:
        line = _describe(data, mime_type, is_cut=is_cut)
    except PictureTooLargeError as error:
        line = str(error)
    except UnreadableMediaError:
        return "unreadable"
    line = " ".join(line.split())
    if len(line) > _MAX_LINE_CHARACTERS:
        line = line[:_MAX_LINE_CHARACTERS] + " ..."
    return f"{line}, of the first {len(data)} bytes" if is_cut else line


def duration_of(data: bytes, mime_type: str) -> float | None:
    """Return the duration of a recording or film in seconds; None for other kinds and undecodable bytes."""
    kind = kind_in(data, mime_type)
    try:
        if kind is Kind.AUDIO:
            return hear(data, mime_type).duration
        return video_duration(data) if kind is Kind.VIDEO else None
    except UnreadableMediaError:
        return None


def kind_in(data: bytes, mime_type: str) -> Kind | None:
    """Return the kind that a MIME type names, but sound for a film's container without a picture track."""
    kind = kind_of(mime_type)
    return Kind.AUDIO if kind is Kind.VIDEO and is_sound_alone(data) else kind


def _describe(data: bytes, mime_type: str, *, is_cut: bool) -> str:
    match kind_in(data, mime_type) or min(kinds_of(data), default=Kind.TEXT):
        case Kind.IMAGE:
            return _describe_picture(data)
        case Kind.AUDIO:
            return _describe_sound(hear(data, mime_type))
        case Kind.VIDEO:
            return _describe_video(data)
        case Kind.DOCUMENT:
            return _describe_document(data)
        case Kind.TEXT:
            return _number_of(len(read_text(data, is_cut=is_cut)), "character")


def _describe_picture(data: bytes) -> str:
    picture = see_picture(data)
    shapes = [f"{shape.label} [{','.join(map(str, shape.box))}]" for shape in picture.shapes]
    return ", ".join([f"{picture.width}x{picture.height}", *(shapes or ["no shapes"])])


def _describe_sound(sound: Sound) -> str:
    passages = [
        f"{'loud' if passage.is_loud else 'silent'} {passage.start:.2f}-{passage.end:.2f}"
        for passage in sound.passages[:_MAX_LISTED]
    ]
    return ", ".join([f"{sound.duration:.2f} s", *passages])


def _describe_video(data: bytes) -> str:
    video = watch(data)
    scenes = [f"{scene.colour} {scene.start:.2f}-{scene.end:.2f}" for scene in video.scenes[:_MAX_LISTED]]
    sound = f"sound {_describe_sound(video.sound)}" if video.sound else "no sound"
    return ", ".join([f"{video.duration:.2f} s {video.width}x{video.height}", *scenes, sound])


def _describe_document(data: bytes) -> str:
    pages = read_pdf(data)
    texts = (f'{number} "{" ".join(page.split())[:_MAX_PAGE_CHARACTERS]}"' for number, page in enumerate(pages, 1))
    return f"{_number_of(len(pages), 'page')}: {'; '.join(texts)}"


def _number_of(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
