"""The media of a prompt: inline bytes, stored files, and addresses that the emulator does not fetch.

It knows which types Gemini takes and who may use a file; it decodes nothing.
"""

import re
from dataclasses import dataclass

from gemini_emulator.clock import Clock
from gemini_emulator.failures import ApiFailureError, file_not_active, invalid
from gemini_emulator.files.file_store import FileStore
from gemini_emulator.files.stored import StoredFile
from gemini_emulator.proto.blobs import Blob
from gemini_emulator.proto.fields import Fields
from gemini_emulator.senses.kinds import Kind, essence_of, kind_of

_SUBTYPES = {
    "image": "png jpeg jpg webp heic heif gif bmp tiff",
    "audio": "wav x-wav wave mp3 mpeg mpga aiff x-aiff aac ogg flac x-flac m4a x-m4a mp4 opus webm pcm l16 alaw mulaw",
    "video": "mp4 mpeg mpg mov quicktime avi x-msvideo x-flv flv webm wmv x-ms-wmv 3gpp",
    "application": "pdf",
}
_TYPES = frozenset(f"{family}/{subtype}" for family, names in _SUBTYPES.items() for subtype in names.split())
_STORED = re.compile(r"(?:https://generativelanguage\.googleapis\.com/(?:v1|v1beta|v1alpha)/)?files/([^/?#]+)")
_MAX_FPS = 24.0


@dataclass(frozen=True, slots=True)
class MediaPart:
    """One medium. Exactly one of `blob`, `file` and `uri` is set; offsets are in seconds.

    `position` counts all parts of all turns, from 1; `resolution` is "" unless the part says its own.
    """

    position: int
    mime_type: str
    blob: Blob | None = None
    file: StoredFile | None = None
    uri: str = ""
    start: float | None = None
    end: float | None = None
    fps: float | None = None
    resolution: str = ""

    @property
    def data(self) -> bytes:
        """The bytes; of a large file its beginning; empty for a URL, which is not fetched."""
        if self.blob is not None:
            return self.blob.data
        return self.file.kept.joined() if self.file else b""


class MediaReader:
    """Reads the media of parts, with access to the stored files."""

    def __init__(self, file_store: FileStore, clock: Clock) -> None:
        self._file_store = file_store
        self._clock = clock

    def read(self, part: Fields, position: int) -> list[MediaPart]:
        """Return the media of a part: at most one, or any number inside a function's response.

        Raises ApiFailureError for types that Gemini does not accept, files that do not exist or are not ready, and
        invalid offsets.
        """
        inside = part.fields("functionResponse").many("parts")
        return [
            self._read_one(holder, part, position)
            for holder in (part, *inside)
            if "inlineData" in holder or "fileData" in holder
        ]

    def _read_one(self, holder: Fields, part: Fields, position: int) -> MediaPart:
        video = part.fields("videoMetadata")
        start, end, fps = video.number("startOffset"), video.number("endOffset"), video.number("fps")
        _check_cut(start, end, fps)
        inline = holder.fields("inlineData")
        blob, file, uri = None, None, ""
        if "inlineData" in holder:
            blob = inline.blob("data")
            if blob is None or not blob.data:
                raise invalid("* GenerateContentRequest.contents: inline_data.data must not be empty.\n")
            mime_type = inline.text("mimeType")
        else:
            data = holder.fields("fileData")
            file, uri = self._find(data.text("fileUri"))
            mime_type = data.text("mimeType") or (file.mime_type if file else "video/mp4")
        _check_type(mime_type)
        resolution = part.fields("mediaResolution").text("level")
        return MediaPart(position, mime_type, blob, file, uri, start, end, fps, resolution)

    def _find(self, uri: str) -> tuple[StoredFile | None, str]:
        match = _STORED.fullmatch(uri)
        if match is not None:
            file = self._file_store.get(match[1])
            if file.state_at(self._clock.now()) != "ACTIVE":
                raise file_not_active(file.file_id)
            return file, ""
        if not uri.startswith("https://"):
            raise ApiFailureError(400, f"Invalid or unsupported file uri: {uri}")
        return None, uri


def _check_cut(start: float | None, end: float | None, fps: float | None) -> None:
    if fps is not None and not 0 < fps <= _MAX_FPS:
        raise invalid("* GenerateContentRequest.contents: video_metadata.fps must be in the range (0, 24].\n")
    if (start or 0) < 0 or (end is not None and end <= (start or 0)):
        raise invalid(
            "* GenerateContentRequest.contents: video_metadata offsets must not be negative, and end behind start.\n"
        )


def _check_type(mime_type: str) -> None:
    if essence_of(mime_type) not in _TYPES and kind_of(mime_type) is not Kind.TEXT:
        raise invalid(f"Unsupported MIME type: {mime_type}")
