"""What a string as a whole refers to: a resource by its canonical name or address, a URL, something unusable, nothing.

Only canonical spellings are references. What merely looks like one, in other case, escaped, with white space, with
another host's tricks, is unusable: it is treated as what does not exist, so no second parser's leniency matters.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from urllib.parse import unquote


class Kind(StrEnum):
    """What a reference is to, by the collection in its name."""

    FILE = "files"
    CACHE = "cachedContents"
    BATCH = "batches"
    INTERACTION = "interactions"
    STORE = "fileSearchStores"
    TUNED = "tunedModels"
    OPERATION = "operations"


class UrlKind(StrEnum):
    """Where a URL leads, as far as it matters."""

    YOUTUBE = "youtube"
    HTTPS = "https"
    DATA = "data"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Reference:
    """A resource by its name without the collection; `is_uri` when it was named by its address."""

    kind: Kind
    name: str
    is_uri: bool = False


@dataclass(frozen=True, slots=True)
class Url:
    """A URL that is no resource of Gemini's."""

    kind: UrlKind


@dataclass(frozen=True, slots=True)
class Unusable:
    """What looks like a resource or a URL and is not spelled as one; `kind` is the one that it looks like."""

    kind: Kind | None


Meaning = Reference | Url | Unusable
GOOGLE = "https://generativelanguage.googleapis.com"
LONGEST = 8_192
"""No string that is longer refers to anything."""

_FILE = r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?"
_ID = r"[A-Za-z0-9_-]{1,255}"
_NAMED = re.compile(
    rf"(?P<files>files/(?:batch-{_ID}|{_FILE}))"
    rf"|(?P<cachedContents>cachedContents/{_ID})|(?P<batches>batches/{_ID})|(?P<interactions>interactions/{_ID})"
    rf"|(?P<fileSearchStores>fileSearchStores/{_ID}(?:/documents/{_ID})?)|(?P<tunedModels>tunedModels/{_ID})"
    rf"|(?P<operations>(?:models/[A-Za-z0-9_.-]{{1,128}}/)?operations/{_ID})",
    re.ASCII,
)
_ADDRESS = re.compile(
    rf"(?P<base>https?://[^/]+(?:/.+)?)/(?:v1|v1beta|v1alpha)/(?P<rest>files/(?:batch-{_ID}|{_FILE}))"
)
_LOOKS_NAMED = re.compile(
    r"(?:^|[/\\])(files|cachedcontents|batches|interactions|filesearchstores|tunedmodels|operations)[/\\]"
)
_KINDS = {kind.value.lower(): kind for kind in Kind}
_LOOKS_LIKE_URL = re.compile(r"^[a-z][a-z0-9+.-]*:[/\\]|^[/\\]{2}|^(?:data|gs|file|javascript|blob|urn):")
_HTTPS = re.compile(r"https://[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::443)?(?:/[!-~]*)?", re.ASCII)
_YOUTUBE = re.compile(
    r"https://(?:(?:www\.|m\.)?youtube\.com/(?:watch\?[!-~]*|live/[!-~]+|shorts/[!-~]+|embed/[!-~]+)|youtu\.be/[!-~]+)",
    re.ASCII,
)
_IGNORED = re.compile(r"[\s\x00-\x1f\x7f-\xa0\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]+")


@lru_cache(maxsize=4_096)
def classify(text: str, bases: tuple[str, ...] = ()) -> Meaning | None:
    """Tell what a string refers to; None when it refers to nothing.

    `bases` are the gateway's own addresses, under which its clients may name their files as well.
    """
    return _reference(text, bases) or _url(text, bases)


def _reference(text: str, bases: tuple[str, ...]) -> Reference | None:
    named = _NAMED.fullmatch(text)
    if named is not None:
        kind = Kind(named.lastgroup or "")
        return Reference(kind, text.partition("/")[2] if kind is not Kind.OPERATION else text)
    address = _ADDRESS.fullmatch(text)
    if address is not None and (address["base"] == GOOGLE or address["base"] in bases):
        return Reference(Kind.FILE, address["rest"].partition("/")[2], is_uri=True)
    return None


def _url(text: str, bases: tuple[str, ...]) -> Url | Unusable | None:
    if text[:5] == "data:":
        return Url(UrlKind.DATA)
    plain = _plain(text)
    looks = _LOOKS_NAMED.search(plain)
    if _YOUTUBE.fullmatch(text):
        return Url(UrlKind.YOUTUBE)
    if _HTTPS.fullmatch(text) and looks is None and not _is_own_host(plain, bases):
        return Url(UrlKind.HTTPS)
    if looks is not None:
        return Unusable(_KINDS[looks[1]])
    if _LOOKS_LIKE_URL.search(plain):
        return Unusable(None) if _is_own_host(plain, bases) else Url(UrlKind.OTHER)
    return None


def _is_own_host(plain: str, bases: tuple[str, ...]) -> bool:
    # What names Gemini's own host, or the gateway's, and is no file is asked of nobody.
    return "googleapis" in plain or any(base.partition("://")[2].lower() in plain for base in bases if base)


def _plain(text: str) -> str:
    """Undo what a lenient reader might: escapes, compatibility characters, case, what is not seen."""
    for _ in range(4):
        undone = unquote(text)
        if undone == text:
            break
        text = undone
    return _IGNORED.sub("", unicodedata.normalize("NFKC", text)).casefold()
