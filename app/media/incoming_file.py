"""One file of a request while it arrives: its type, its claims, and its state.

    Held ──(spills)──> Uploading ──(finalized)──> Uploaded
     └─(hash known)─> Reused <──(bytes known at the end)──┘

Only the methods of `IncomingFile` change its state.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from app.errors import FileTooLargeError, WrongClaimError
from app.gemini.remote_files import RemoteFile
from app.gemini.request import FilePart, InlinePart, MediaOptions, inline_overhead, reference_length
from app.media.claims import Claim
from app.media.passing_text import PassingText
from app.media.sniff import HEAD_BYTES, Decision, decide
from app.media.spill import STEP_BYTES, HeldSize
from app.media.transfer import Transfer
from app.media.type_refusals import check_kind, unsupported
from app.media.types import MediaKind, UnsupportedTypeError
from app.store.records import NO_FACTS, MediaFacts, StoredFile


class Delivery(StrEnum):
    """How a file reaches Gemini."""

    INLINE = "inline"
    UPLOADED = "uploaded"
    REUSED = "reused"
    REFERENCED = "referenced"


@dataclass(frozen=True, slots=True)
class Held:
    """The bytes are held here, in slices of 192 KiB, to go inline unless the file spills."""

    slices: list[bytes] = field(default_factory=list)
    open_slice: bytearray = field(default_factory=bytearray)
    # Transcoded text that does not fill a slice yet.
    transcoded: bytearray = field(default_factory=bytearray)

    @property
    def size_bytes(self) -> int:
        """Return the number of held bytes."""
        return sum(map(len, self.slices)) + len(self.open_slice) + len(self.transcoded)

    def add(self, data: bytes, *, is_last: bool) -> None:
        """Add a closed slice, which transcoding may have made longer or shorter."""
        if not self.transcoded and len(data) == STEP_BYTES:
            self.slices.append(data)
            return
        self.transcoded.extend(data)
        while len(self.transcoded) >= STEP_BYTES or (is_last and self.transcoded):
            self.slices.append(bytes(self.transcoded[:STEP_BYTES]))
            del self.transcoded[:STEP_BYTES]


@dataclass(frozen=True, slots=True)
class Uploading:
    """The bytes stream to Gemini."""

    transfer: Transfer


@dataclass(frozen=True, slots=True)
class Reused:
    """The owner has these bytes at Gemini already: the bytes that arrive are only hashed."""

    file: StoredFile


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The file lies at Gemini, by its name and URI there."""

    name: str
    uri: str
    facts: MediaFacts


FileState = Held | Uploading | Reused | Uploaded


@dataclass(slots=True)
class IncomingFile:
    """A file that arrives: add its data, then `end` it. Other modules read the fields and call the methods."""

    index: int
    filename: str | None
    declared: str | None
    claim: Claim
    options: MediaOptions
    max_bytes: int
    accepts: frozenset[MediaKind] | None = None
    charset: str | None = None
    state: FileState = field(default_factory=Held)
    size_bytes: int = 0
    decision: Decision | None = None
    is_ended: bool = False
    sha256: str | None = None
    stored: StoredFile | None = None
    _text: PassingText | None = None
    _hasher: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    @property
    def where(self) -> str:
        """Return the file's name in problems."""
        return f"file[{self.index}]"

    @property
    def is_held(self) -> bool:
        """Whether the bytes are held, to go inline unless they spill."""
        return isinstance(self.state, Held)

    @property
    def delivery(self) -> Delivery:
        """Return the file's way to Gemini, as far as it is known."""
        match self.state:
            case Held():
                return Delivery.INLINE
            case Reused():
                return Delivery.REUSED
        return Delivery.UPLOADED

    @property
    def upload_name(self) -> str | None:
        """Return the name of the file at Gemini, None if the file is not there."""
        match self.state:
            case Uploaded(name):
                return name
            case Reused(file):
                return file.upload.name
        return None

    @property
    def facts(self) -> MediaFacts:
        """Return the facts of the file that were read while it passed, or that are recorded."""
        match self.state:
            case Uploading(transfer):
                return transfer.facts
            case Uploaded(facts=facts):
                return facts
            case Reused(file):
                return file.upload.facts
        return NO_FACTS

    @property
    def held_slices(self) -> list[bytes]:
        """Return the held bytes in slices; none if the bytes are not held."""
        return self.state.slices if isinstance(self.state, Held) else []

    def part(self) -> InlinePart | FilePart:
        """Return a settled file as a part of the request."""
        match self.state:
            case Held(slices):
                return InlinePart(self.type.mime_type, slices, self.options)
            case Reused(file):
                return FilePart(self.type.mime_type, file.upload.uri or "", self.options)
            case Uploaded(uri=uri):
                return FilePart(self.type.mime_type, uri, self.options)
        raise AssertionError("a file is part of a request before its upload has ended")

    @property
    def is_held_whole(self) -> bool:
        """Whether the file must be held to its end, because its text is transcoded."""
        return self._text is not None and self._text.is_transcoded

    @property
    def transcoded_from(self) -> str | None:
        """Return the charset of a text of which Gemini gets other bytes, in UTF-8; None for any other file."""
        return self._text.charset if self._text is not None and self._text.has_changed else None

    @property
    def upload_bytes(self) -> int | None:
        """Return the number of bytes that an upload of the file would have, None if it is unknown."""
        if self.is_ended:
            return self.state.size_bytes if isinstance(self.state, Held) else self.size_bytes
        return self.claim.size_bytes

    def rename(self, filename: str | None) -> None:
        """Replace the filename, if another is given."""
        self.filename = filename or self.filename

    def set_options(self, options: MediaOptions) -> None:
        """Set Gemini's options for the file."""
        self.options = options

    def spill(self, to: Uploading | Reused) -> list[bytes]:
        """Hold the bytes no longer; return them in slices, which are to be uploaded or dropped."""
        if not isinstance(self.state, Held) or self.state.open_slice:
            raise AssertionError("only whole slices of a held file spill")
        slices, self.state = self.state.slices, to
        return slices

    def check_spill(self) -> None:
        """Let the rest of the file be streamed; raises UnsupportedFileTypeError for text that is transcoded."""
        if self._text is not None:
            with self._refusing():
                self._text.end_holding()

    def reuse(self, file: StoredFile) -> None:
        """Use a file with the same bytes in place of an upload that has ended."""
        self.state = Reused(file)

    def finish(self, remote: RemoteFile) -> None:
        """Record the file that Gemini made of the upload."""
        self.state = Uploaded(remote.name, remote.uri, self.facts)

    def keep(self, file: StoredFile) -> None:
        """Record the id under which the owner has the file."""
        self.stored = file

    @property
    def type(self) -> Decision:
        """Return the type of the file; only available after the decision."""
        if self.decision is None:
            raise AssertionError("the type is asked before the file's head has been seen")
        return self.decision

    def count(self, size_bytes: int) -> None:
        """Count data that arrived; raises FileTooLargeError, or WrongClaimError once the size exceeds its claim."""
        self.size_bytes += size_bytes
        if self.size_bytes > self.max_bytes:
            raise FileTooLargeError(f"{self.where}: a file may have at most {self.max_bytes} bytes; this one has more.")
        if self.claim.size_bytes is not None and self.size_bytes > self.claim.size_bytes:
            raise WrongClaimError(
                f"{self.where}: {self.claim.size_name} says {self.claim.size_bytes} bytes, but the file has more; "
                f"give its exact size or leave {self.claim.size_name} out."
            )

    def look(self, data: memoryview) -> None:
        """Check data that is streamed; raises UnsupportedFileTypeError for invalid text."""
        if self._text is not None:
            with self._refusing():
                self._text.look(bytes(data))

    def _decide(self, held: Held) -> None:
        head = held.slices[0][:HEAD_BYTES] if held.slices else bytes(held.open_slice[:HEAD_BYTES])
        with self._refusing():
            self.decision = decide(
                head,
                declared=self.declared,
                filename=self.filename,
                is_whole=self.is_ended and self.size_bytes <= HEAD_BYTES,
                charset=self.charset,
            )
        check_kind(self.decision.kind, self.decision.mime_type, self.accepts, self.where)
        if self.decision.charset is not None:
            self._text = PassingText(self.decision.charset)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Name the file in the refusal of its type."""
        try:
            yield
        except UnsupportedTypeError as error:
            raise unsupported(error, self.where) from None

    def hold(self, held: Held, data: memoryview) -> bool:
        """Hold data of at most the rest of the open slice; return whether the slice is now full.

        `held` is the file's state. Raises UnsupportedFileTypeError.
        """
        held.open_slice.extend(data)
        if self.decision is None and (held.slices or len(held.open_slice) >= HEAD_BYTES):
            self._decide(held)
        if len(held.open_slice) < STEP_BYTES:
            return False
        self._close_slice(held)
        return True

    def _close_slice(self, held: Held) -> None:
        if not held.open_slice:
            return
        piece = bytes(held.open_slice)
        held.open_slice.clear()
        self._hasher.update(piece)
        if self._text is not None:
            with self._refusing():
                piece = self._text.hold(piece)
        held.add(piece, is_last=self.is_ended)

    def hash(self, data: memoryview) -> None:
        """Hash data that is dropped."""
        self._hasher.update(data)

    def end(self) -> None:
        """Check the whole file at its end; raises WrongClaimError, UnsupportedFileTypeError."""
        self.is_ended = True
        self._check_size()
        if isinstance(self.state, Held):
            if self.decision is None:
                self._decide(self.state)
            self._close_slice(self.state)
        if self._text is not None:
            with self._refusing():
                self._text.finish()
        if isinstance(self.state, Held):
            self.state.add(b"", is_last=True)
            if not self.state.slices:
                no_text = UnsupportedTypeError("The text has no characters after its byte order mark.", None)
                raise unsupported(no_text, self.where)
        if not isinstance(self.state, Uploading):
            self.settle_digest(self._hasher.hexdigest())

    def claim_late(self, claim: Claim) -> None:
        """Add a claim that came after the file; raises WrongClaimError."""
        sized = self.claim if claim.size_bytes is None else claim
        self.claim = Claim(sized.size_bytes, claim.sha256 or self.claim.sha256, sized.size_name)
        self._check_size()
        if self.sha256 is not None:
            self.settle_digest(self.sha256)

    def _check_size(self) -> None:
        claimed = self.claim.size_bytes
        if claimed is not None and claimed != self.size_bytes:
            raise WrongClaimError(
                f"{self.where}: {self.claim.size_name} says {claimed} bytes, but the file has {self.size_bytes}; "
                f"give its exact size or leave {self.claim.size_name} out."
            )

    def settle_digest(self, sha256: str) -> None:
        """Store the whole file's SHA-256 in hex; raises WrongClaimError if it differs from the claim."""
        self.sha256 = sha256
        if self.claim.sha256 is not None and self.claim.sha256 != sha256:
            raise WrongClaimError(
                f"{self.where}: sha256 says {self.claim.sha256}, but the file's is {sha256}; "
                "send the file that you hashed, or leave sha256 out."
            )

    def held_size(self) -> HeldSize:
        """Return the sizes that the spill rule needs, of a held file whose type is decided."""
        kind = self.type.mime_type
        size = self.state.size_bytes if isinstance(self.state, Held) else 0
        return HeldSize(size, inline_overhead(kind, self.options), reference_length(kind, self.options))

    @property
    def reference_length(self) -> int:
        """Return the length of the file's reference in the request."""
        return reference_length(self.type.mime_type, self.options)


def slice_of(data: memoryview, held_bytes: int) -> Sequence[memoryview]:
    """Return data cut at steps of 192 KiB from the file's start; the open slice already has `held_bytes`."""
    first = STEP_BYTES - held_bytes
    return [data[:first], *(data[at : at + STEP_BYTES] for at in range(first, len(data), STEP_BYTES))]
