"""The media and text of a prompt, in order, from form parts, `contents` or messages."""

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pybase64

from app.api.caller import RestCaller
from app.api.options import Message, MessagePart
from app.api.reports import incoming_report, mismatch_warning, stored_report, transcoded_warning
from app.api.schemas import CallWarning, FileReport
from app.errors import FieldError, InvalidFieldError, UnsupportedFileTypeError
from app.gemini.remote_files import is_file_host
from app.gemini.request import FilePart, InlinePart, MediaOptions, Part, TextPart, Turn
from app.media.file_service import LEAST_LIFE_S
from app.media.incoming_file import Delivery, IncomingFile
from app.media.passing_text import whole_text
from app.media.sniff import HEAD_BYTES, decide
from app.media.type_refusals import unsupported
from app.media.types import UnsupportedTypeError
from app.store.records import StoredFile

# From this size on, base64 is decoded in a thread.
THREAD_BYTES = 1 << 17
MAX_FILE_IDS = 1_000
_PLAIN_URL = re.compile(
    r"https://((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,63})(?:[/?][!#-\[\]_a-z~]*)?", re.ASCII
)
# The head of a data: URL, as a browser's FileReader makes it.
_DATA_URL = re.compile(r"data:([!-+\--~]{1,200}?)?;base64,", re.ASCII | re.IGNORECASE)
_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")
# Gemini itself fetches these; other hosts need ALLOW_HTTPS_URLS.
YOUTUBE_HOSTS = frozenset({"youtube.com", "www.youtube.com", "m.youtube.com", "youtu.be"})


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of the prompt that was uploaded before."""

    file: StoredFile
    options: MediaOptions

    def part(self) -> FilePart:
        """Return the file as a part of the request."""
        upload = self.file.upload
        return FilePart(upload.mime_type, upload.uri or "", self.options)


@dataclass(frozen=True, slots=True)
class Given:
    """Media of the prompt sent inside JSON: the part, and its report."""

    part: InlinePart | FilePart
    report: FileReport
    warnings: tuple[CallWarning, ...] = ()


Item = str | IncomingFile | Stored | Given


def part_of(item: Item) -> Part:
    """Return an item of the prompt as a part of the request; files of the form must be settled."""
    if isinstance(item, str):
        return TextPart(item)
    if isinstance(item, Stored):
        return item.part()
    if isinstance(item, Given):
        return item.part
    return item.part()


def reports(items: Sequence[Item]) -> list[FileReport]:
    """Return the reports of all media, in the order of the prompt."""
    out: list[FileReport] = []
    for item in items:
        if isinstance(item, IncomingFile):
            out.append(incoming_report(len(out), item))
        elif isinstance(item, Stored):
            out.append(stored_report(len(out), item.file))
        elif isinstance(item, Given):
            out.append(item.report.model_copy(update={"index": len(out)}))
    return out


def warnings(items: Sequence[Item]) -> list[CallWarning]:
    """Return the warnings about the media."""
    out = []
    for item in items:
        if isinstance(item, IncomingFile):
            if item.type.has_mismatch:
                out.append(mismatch_warning(item.where, item.type.declared_mime_type, item.type.mime_type))
            if item.transcoded_from is not None:
                out.append(transcoded_warning(item.where, item.transcoded_from))
        elif isinstance(item, Given):
            out.extend(item.warnings)
    return out


async def stored(caller: RestCaller, file_id: str, options: MediaOptions) -> Stored:
    """Return a file by its id; raises FileNotFoundProblemError, also for a file that is about to expire."""
    return Stored(await caller.services.files.resolve(caller.client.id, file_id, least_life_s=LEAST_LIFE_S), options)


async def read_messages(
    caller: RestCaller, messages: Sequence[Message], *, first: int = 0
) -> tuple[list[Turn], list[Item]]:
    """Return the turns of messages, the first of which has the number `first`, and all their media items in order.

    Raises InvalidFieldError for a part that is not exactly one of its kinds, and the errors of its media.
    """
    turns, items = [], []
    named = sum(part.file_id is not None for message in messages for part in message.content)
    if named > MAX_FILE_IDS:
        raise _bad("messages", f"may name at most {MAX_FILE_IDS} files", str(named))
    for number, message in enumerate(messages, first):
        if message.role == "system":
            raise _bad(
                f"messages[{number}].role",
                "may be system only in the first message of /chat; send the text as system_instruction",
            )
        parts: list[Part] = []
        for at, part in enumerate(message.content):
            item = await _read_part(caller, part, f"messages[{number}].content[{at}]")
            items.append(item)
            parts.append(part_of(item))
        if not parts:
            raise _bad(f"messages[{number}].content", "must have at least one part")
        turns.append(Turn("user" if message.role == "user" else "model", parts))
    return turns, items


def one_of(values: Mapping[str, object], where: str) -> str:
    """Return the name of the one given field; raises InvalidFieldError unless exactly one is given."""
    given = [name for name, value in values.items() if value is not None]
    if len(given) != 1:
        raise _bad(where, f"must have exactly one of {', '.join(values)}", ", ".join(given) or "none")
    return given[0]


def _bad(where: str, message: str, received: str | None = None) -> InvalidFieldError:
    return InvalidFieldError(f"{where}: {message}.", errors=(FieldError(where, message, received=received),))


async def _read_part(caller: RestCaller, part: MessagePart, where: str) -> Item:
    given = {"text": part.text, "file_id": part.file_id, "inline_data": part.inline_data, "url": part.url}
    kind = one_of(given, where)
    options = part.media_options()
    if kind == "text":
        return part.text or ""
    if kind == "file_id":
        return await stored(caller, part.file_id or "", options)
    if kind == "url":
        return _url(caller, part, options, where)
    data = part.inline_data or ""
    if len(data) < THREAD_BYTES:
        return _inline(data, part.mime_type, options, where)
    return await asyncio.to_thread(_inline, data, part.mime_type, options, where)


def _decoded(data: str) -> bytes:
    """Return the bytes of base64 as clients write it: standard or URL-safe, padded or not, in lines or in one piece.

    Raises ValueError for any other text.
    """
    plain = data.encode("ascii").translate(_STANDARD_ALPHABET, b" \t\r\n").rstrip(b"=")
    return pybase64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)


def _inline(data: str, declared: str | None, options: MediaOptions, where: str) -> Given:
    of_url = _DATA_URL.match(data)
    if of_url is not None:
        declared = declared or of_url[1]
        data = data[of_url.end() :]
    try:
        raw = _decoded(data)
    except ValueError:
        raise _bad(f"{where}.inline_data", "is not base64", f"{len(data)} characters") from None
    if not raw:
        raise _bad(f"{where}.inline_data", "is empty")
    try:
        # The bytes decide here too, so that a wrong mime_type is corrected or refused as in a form.
        found = decide(raw[:HEAD_BYTES], declared=declared, filename=None, is_whole=len(raw) <= HEAD_BYTES)
        sent = raw if found.charset is None else whole_text(raw, found.charset)
    except UnsupportedTypeError as error:
        raise unsupported(error, f"{where}.inline_data") from None
    report = FileReport(
        index=0,
        id=None,
        filename=None,
        mime_type=found.mime_type,
        declared_mime_type=found.declared_mime_type,
        size_bytes=len(raw),
        sha256=hashlib.sha256(raw).hexdigest(),
        delivery=Delivery.INLINE,
        expires_at=None,
    )
    warnings = []
    if found.has_mismatch:
        warnings.append(mismatch_warning(where, found.declared_mime_type, found.mime_type))
    if found.charset is not None and sent != raw:
        warnings.append(transcoded_warning(where, found.charset))
    return Given(InlinePart(found.mime_type, (sent,), options), report, tuple(warnings))


def _url(caller: RestCaller, part: MessagePart, options: MediaOptions, where: str) -> Given:
    url = part.url or ""
    # Accept only URLs that every parser reads alike: no user, no port, no escape or final dot in the host, no IP
    # address.
    match = _PLAIN_URL.fullmatch(url)
    host = match[1] if match else ""
    is_youtube = host in YOUTUBE_HOSTS
    if not is_youtube and not (caller.services.settings.allow_https_urls and host):
        allowed = "https and YouTube" if caller.services.settings.allow_https_urls else "YouTube"
        raise _bad(f"{where}.url", f"may only be {allowed}; upload other media to /api/v1/files")
    # Google's file URLs would name files past the check of their owner.
    if is_file_host(host):
        raise _bad(f"{where}.url", "may not name a file of Gemini's; use file_id")
    mime_type = part.mime_type
    if mime_type is None and not is_youtube:
        raise UnsupportedFileTypeError(f"{where}: an https url needs a mime_type.")
    report = FileReport(
        index=0,
        id=None,
        filename=None,
        mime_type=mime_type,
        declared_mime_type=mime_type,
        size_bytes=None,
        sha256=None,
        delivery=Delivery.REFERENCED,
        expires_at=None,
    )
    return Given(FilePart(mime_type, url, options), report)
