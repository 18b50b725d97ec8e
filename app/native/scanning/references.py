"""Names and addresses of stored objects, and the URLs that Gemini may be asked to fetch.

    string ──> canonical name or address? ──> Reference          every field
           └─> YouTube, https, data:, other scheme? ──> Url      fields that take URLs
           └─> anything else ──> MISSING                         reference fields only

A reference has one spelling. Another case, an escape, white space, a query or another host names no object, so the
leniency of the next parser cannot matter. This module knows no client.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from app.gemini.remote_files import FILE_HOST_WORD, is_file_host


class ObjectKind(StrEnum):
    """The kinds of stored objects, by the collection in their names."""

    FILE = "files"
    CACHE = "cachedContents"
    BATCH = "batches"
    INTERACTION = "interactions"
    STORE = "fileSearchStores"
    TUNED = "tunedModels"
    OPERATION = "operations"
    ENVIRONMENT = "environments"
    LIVE_SESSION = "liveSessions"
    """Live sessions are not in a collection: an opaque handle resumes one."""


class UrlKind(StrEnum):
    """The kinds of URL that the gateway's settings tell apart."""

    YOUTUBE = "youtube"
    HTTPS = "https"
    DATA = "data"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Reference:
    """A stored object by its name without the collection; `is_uri` if the string was a file's address."""

    kind: ObjectKind
    name: str
    is_uri: bool = False

    @property
    def canonical_name(self) -> str:
        """The name with its collection."""
        return self.name if self.kind is ObjectKind.OPERATION else f"{self.kind.value}/{self.name}"


@dataclass(frozen=True, slots=True)
class Url:
    """A URL that is not the address of a stored file."""

    kind: UrlKind


@dataclass(frozen=True, slots=True)
class Missing:
    """The value of a reference field that can name no object of any client at all."""


MISSING = Missing()
Meaning = Reference | Url | Missing
GOOGLE_HOST = "generativelanguage.googleapis.com"
GOOGLE = f"https://{GOOGLE_HOST}"
LONGEST = 8_192
"""The longest JSON string, in bytes, that is judged whole. The longest canonical name has some 550 characters, and the
longest escape of a character six bytes, so no longer string is a canonical name."""
_LONGEST_NAME = 1_300

_FILE = r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?"
_ID = r"[A-Za-z0-9_-]{1,255}"
_NAMED = re.compile(
    rf"(?P<files>files/(?:batch-{_ID}|{_FILE}))"
    rf"|(?P<cachedContents>cachedContents/{_ID})|(?P<batches>batches/{_ID})|(?P<interactions>interactions/{_ID})"
    rf"|(?P<fileSearchStores>fileSearchStores/{_ID}(?:/documents/{_ID})?)|(?P<tunedModels>tunedModels/{_ID})"
    rf"|(?P<operations>(?:(?:models|tunedModels|fileSearchStores)/[A-Za-z0-9_.-]{{1,128}}/)?operations/{_ID})",
    re.ASCII,
)
_ADDRESS = re.compile(
    rf"(?P<base>https?://[^/]+(?:/.+)?)/(?:v1|v1beta|v1alpha)/files/(?P<name>batch-{_ID}|{_FILE})", re.ASCII
)
_HTTPS = re.compile(
    r"https://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::443)?(?:[/?][!-~]*)?", re.ASCII
)
_YOUTUBE = re.compile(
    r"https://(?:(?:www\.|m\.)?youtube\.com/(?:watch\?[!-~]*|live/[!-~]+|shorts/[!-~]+|embed/[!-~]+)|youtu\.be/[!-~]+)",
    re.ASCII,
)
_OTHER_SCHEME = re.compile(r"(?:gs|s3|http|ftp|file)://[!-~]+", re.ASCII)


def canonical(text: str, bases: tuple[str, ...] = ()) -> Reference | None:
    """Return the object named by `text`; None if `text` is no canonical name or address.

    `bases` are the gateway's own addresses, without a trailing slash: its clients may name their files below them.
    """
    if len(text) > _LONGEST_NAME:
        return None
    named = _NAMED.fullmatch(text)
    if named is not None:
        kind = ObjectKind(named.lastgroup or "")
        return Reference(kind, text if kind is ObjectKind.OPERATION else text.partition("/")[2])
    if text[:4] != "http":
        return None
    address = _ADDRESS.fullmatch(text)
    if address is not None and (address["base"] == GOOGLE or address["base"] in bases):
        return Reference(ObjectKind.FILE, address["name"], is_uri=True)
    return None


def url_of(text: str, bases: tuple[str, ...] = ()) -> Url | None:
    """Return `text` as a URL; None if `text` is no URL, or if its host keeps clients' files."""
    if text[:5] == "data:":
        return Url(UrlKind.DATA)
    if _YOUTUBE.fullmatch(text):
        return Url(UrlKind.YOUTUBE)
    match = _HTTPS.fullmatch(text)
    if match is not None:
        return None if _keeps_files(match["host"].lower(), bases) else Url(UrlKind.HTTPS)
    words = (FILE_HOST_WORD, *(_host_of(base) for base in bases))
    if _OTHER_SCHEME.fullmatch(text) and not any(word in text.lower() for word in words):
        return Url(UrlKind.OTHER)
    return None


def _keeps_files(host: str, bases: tuple[str, ...]) -> bool:
    return is_file_host(host) or any(host == _host_of(base) for base in bases)


def _host_of(base: str) -> str:
    return base.partition("://")[2].partition("/")[0].partition(":")[0].lower()
