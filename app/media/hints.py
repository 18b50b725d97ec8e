"""Types that the first bytes leave open, decided by the claim or by the extension of the name."""

from collections.abc import Mapping
from types import MappingProxyType

from app.media.raw_photos import raw_photo_named

# Sound after tags that are longer than the bytes looked at.
TAGGED_SOUND = "audio/x-id3"
# Advanced Systems Format whose streams are not all seen: sound (WMA) or video.
ASF = "video/x-ms-asf"
WMA = "audio/x-ms-wma"

# The formats that are found after ID3v2 tags, by type and by extension.
_TAGGED: Mapping[str, str] = MappingProxyType(
    {
        extension: mime_type
        for mime_type, extensions in {
            "audio/mpeg": "mp3 mp2 mpga",
            "audio/flac": "flac",
            "audio/aac": "aac adts",
            "audio/ac3": "ac3 eac3",
            "audio/x-musepack": "mpc mp+ mpp",
            "audio/x-ape": "ape",
            "audio/x-tta": "tta",
            "audio/x-wavpack": "wv",
        }.items()
        for extension in extensions.split()
    }
)
_TAGGED_CLAIMS: Mapping[str, str] = MappingProxyType(
    {mime_type: mime_type for mime_type in _TAGGED.values()}
    | {
        "audio/eac3": "audio/ac3",
        "audio/vnd.dolby.dd-raw": "audio/ac3",
        "audio/musepack": "audio/x-musepack",
        "audio/ape": "audio/x-ape",
    }
)


def complete(found: str | None, claim: str | None, extension: str) -> str | None:
    """Return the type of a file: `found`, made exact by the claim, else by the extension.

    Returns None if `found` is sound after a long tag, and neither claim nor extension names a format.
    """
    if found == TAGGED_SOUND:
        return _TAGGED_CLAIMS.get(claim or "") or _TAGGED.get(extension)
    if found == ASF:
        return WMA if claim == WMA or (claim is None and extension == "wma") else "video/wmv"
    if found == "image/tiff":
        return raw_photo_named(claim, extension) or found
    return found
