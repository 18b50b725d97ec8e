"""Decides by its field whether a value passes, is to be resolved, holds a fact, or is forbidden."""

from app.errors import ForbiddenError, MalformedRequestError
from app.native.scanning.facts import BodyFacts
from app.native.scanning.found import Found, Handle, ModelName, UsageOption
from app.native.scanning.frames import Frame
from app.native.scanning.policy import Policy, ScanRules
from app.native.scanning.references import MISSING, Meaning, ObjectKind, Url, UrlKind, canonical, url_of
from app.native.scanning.roles import OTHER, Field, Role

MAX_FOUND = 5_000
"""The largest number of strings to resolve in one document."""
_REFERENCES = frozenset({Role.REFERENCE, Role.MEDIA_REFERENCE})
_BARE = frozenset({ObjectKind.INTERACTION, ObjectKind.LIVE_SESSION})
"""Kinds that Gemini names by an id without a collection."""
_PAID_TYPES = frozenset({"google_search", "google_maps", "url_context", "enterprise_web_search", "retrieval"})
"""Tools, by their type, that Gemini bills apart from tokens, or whose input no estimate bounds."""
_USAGE_OPTIONS = b'{"include_usage":true}'
_MEDIA_TYPES = frozenset({"image", "audio", "video", "document", "file"})


class Judge:
    """Judges the values of one document. `found` holds the strings found since the scanner last emptied it."""

    def __init__(self, facts: BodyFacts, policy: Policy, rules: ScanRules) -> None:
        self.found: list[Found] = []
        self._facts = facts
        self._policy = policy
        self._bases = rules.bases
        self._allows_mcp_servers = rules.allows_mcp_servers
        self._left = MAX_FOUND

    def string(self, text: str, frame: Frame | None, start: int, end: int, written: bytes) -> None:
        """Judge a string; `written` is its JSON, from `start` to `end` of the document."""
        field = OTHER if frame is None else frame.field
        role = field.role
        what: Meaning | ModelName | Handle | None
        if role is Role.MODEL:
            what = ModelName(text)
        elif role in _REFERENCES:
            what = self._reference(text, field)
        else:
            if frame is not None and role is not Role.OTHER:
                self._note(text, frame, written)
            what = canonical(text, self._bases)
        if what is None:
            return
        if isinstance(what, Url) and what.kind is UrlKind.DATA and frame is not None:
            self._note_media(text, frame)
            frame.media_bytes += end - start
            return
        self._add(Found(start, end, text, what, field), frame)

    def long_string(self, beginning: str, frame: Frame | None, start: int) -> bool:
        """Judge a string longer than any name by its beginning. Return whether the string is media."""
        field = OTHER if frame is None else frame.field
        role = field.role
        if frame is None or role not in _REFERENCES | {Role.MODEL, Role.CLOSED, Role.MCP_SERVERS}:
            return False
        self._check_closed(field, frame.name)
        if field.takes_urls and beginning.startswith("data:"):
            self._note_media(beginning, frame)
            return True
        what = ModelName(beginning) if role is Role.MODEL else MISSING
        self._add(Found(start, start, beginning, what, field), frame)
        return False

    def scalar(self, written: bytes, frame: Frame, start: int) -> None:
        """Judge a number, true, false or null at `start` of the document."""
        if frame.field.role is Role.FACT:
            self._facts.take(frame.field.fact, written)
        elif frame.field.role is Role.USAGE_OPTION:
            if written != b"true":
                literal = b"true" if frame.field.below is None else _USAGE_OPTIONS
                self._note_option(start, start + len(written), literal, frame.field)
        elif written not in {b"null", b"false"}:
            self._check_closed(frame.field, frame.name)

    def container(self, field: Field, name: bytes) -> None:
        """Judge the beginning of an object or list."""
        if field.role is Role.FACT:
            raise MalformedRequestError(f"Invalid JSON payload: {_shown(name)} must not be an object or a list.")
        self._check_closed(field, name)
        if field.costs_extra:
            self._facts.paid_tools.add(_plain(name))

    def close(self, frame: Frame, parent: Frame | None, at: int) -> None:
        """Judge an object or list as a whole; its closing bracket is at `at` of the document."""
        if self._policy.has_usage_option and frame.is_object:
            self._note_absent_option(frame, parent, at)
        if frame.media_bytes:
            self._facts.add_media(frame.mime_type, frame.media_bytes)
        if frame.late and frame.type.lower() in _MEDIA_TYPES:
            self.found += frame.late

    def _note_absent_option(self, frame: Frame, parent: Frame | None, at: int) -> None:
        if parent is None:
            # An object without `stream` may be empty, and needs no usage.
            if self._facts.stream is True and "streamoptions" not in frame.names:
                self._note_option(at, at, b',"stream_options":' + _USAGE_OPTIONS, OTHER)
        elif parent.field.role is Role.USAGE_OPTION and parent.field.below and "includeusage" not in frame.names:
            self._note_option(at, at, b"," * bool(frame.names) + b'"include_usage":true', OTHER)

    def _note_option(self, start: int, end: int, literal: bytes, field: Field) -> None:
        self.found.append(Found(start, end, "", UsageOption(literal), field))

    def _reference(self, text: str, field: Field) -> Meaning | Handle | None:
        if not text:
            # proto3's zero value: the field is absent.
            return None
        if field.kind in _BARE:
            return Handle(text)
        url = url_of(text, self._bases) if field.takes_urls else None
        return canonical(text, self._bases) or url or MISSING

    def _note(self, text: str, frame: Frame, written: bytes) -> None:
        match frame.field.role:
            case Role.FACT:
                self._facts.take(frame.field.fact, written)
            case Role.MIME_TYPE:
                frame.mime_type = text[:100].lower()
            case Role.TYPE:
                frame.type = text[:40]
                if frame.field.costs_extra and text.lower() in _PAID_TYPES:
                    self._facts.paid_tools.add(text.lower())
                if text == "mcp_server" and self._policy.has_typed_tools and not self._allows_mcp_servers:
                    raise _mcp_servers_closed()
            case _:
                self._check_closed(frame.field, frame.name)

    def _note_media(self, url: str, frame: Frame) -> None:
        frame.mime_type = frame.mime_type or url[5:100].partition(",")[0].partition(";")[0].lower()

    def _check_closed(self, field: Field, name: bytes) -> None:
        if field.role is Role.CLOSED:
            raise ForbiddenError(f"{_shown(name)} is not allowed on this gateway: it would bypass it. Leave it out.")
        if field.role is Role.MCP_SERVERS and not self._allows_mcp_servers:
            raise _mcp_servers_closed()

    def _add(self, found: Found, frame: Frame | None) -> None:
        self._left -= 1
        if self._left < 0:
            raise MalformedRequestError(
                f"The request names more than {MAX_FOUND} files, models and other objects; send several requests."
            )
        if found.field.role is Role.MEDIA_REFERENCE and frame is not None:
            frame.late += (found,)
        else:
            self.found.append(found)


def _plain(name: bytes) -> str:
    return name.decode()[:60]


def _shown(name: bytes) -> str:
    return repr(_plain(name))


def _mcp_servers_closed() -> ForbiddenError:
    return ForbiddenError(
        "MCP servers are not allowed on this gateway; its operator can allow them (ALLOW_MCP_SERVERS)."
    )
