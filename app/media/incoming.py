"""One file of a request while it arrives: its type, its claims, and its held bytes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from app.errors import FieldError, FileTooLargeError, UnsupportedFileTypeError, WrongClaimError
from app.gemini.request import MediaOptions, inline_overhead, reference_length
from app.media.sniff import HEAD_BYTES, Decision, decide
from app.media.spill import STEP_BYTES, Held
from app.media.text import TextCheck
from app.media.transfer import Transfer
from app.media.types import Kind, UnsupportedTypeError
from app.store.records import Facts, StoredFile


class Delivery(StrEnum):
    """How a file reaches Gemini."""

    INLINE = "inline"
    UPLOADED = "uploaded"
    REUSED = "reused"
    REFERENCED = "referenced"


@dataclass(frozen=True, slots=True)
class Claim:
    """The client's claims about a file: its size in bytes, the name of the claim of its size, its SHA-256 in hex."""

    size_bytes: int | None = None
    sha256: str | None = None
    size_name: str = "file_size"

    @classmethod
    def of(cls, *, file_size: int | None, content_length: int | None, sha256: str | None) -> "Claim":
        """Return the claim of a form's file; raises WrongClaimError if the two claims of its size differ."""
        if file_size is None:
            return cls(content_length, sha256, "the part's Content-Length")
        if content_length is not None and content_length != file_size:
            raise WrongClaimError(
                f"file_size says {file_size} bytes, but the part's Content-Length says {content_length}; "
                "give the file's exact size in both, or leave both out."
            )
        return cls(file_size, sha256)


@dataclass(slots=True)
class Incoming:
    """A file that arrives: `take` its data, then `end` it. Held bytes are in slices of 192 KiB."""

    index: int
    filename: str | None
    declared: str | None
    claim: Claim
    options: MediaOptions
    max_bytes: int
    accepts: frozenset[Kind] | None = None
    size_bytes: int = 0
    slices: list[bytes] = field(default_factory=list)
    open_slice: bytearray = field(default_factory=bytearray)
    decision: Decision | None = None
    transfer: Transfer | None = None
    reused: StoredFile | None = None
    upload_name: str | None = None
    uri: str | None = None
    stored: StoredFile | None = None
    expires_at: float | None = None
    is_ended: bool = False
    sha256: str | None = None
    facts: Facts | None = None
    _text: TextCheck | None = None
    # Bytes of the file that are already counted against the owner's limits.
    counted_bytes: int = 0
    _hasher: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    @property
    def where(self) -> str:
        """Return the file's name in problems."""
        return f"file[{self.index}]"

    @property
    def is_held(self) -> bool:
        """Whether the bytes are held, to go inline unless they spill."""
        return self.transfer is None and self.reused is None and self.upload_name is None

    @property
    def delivery(self) -> Delivery:
        """Return the file's way to Gemini, as far as it is known."""
        if self.reused is not None:
            return Delivery.REUSED
        return Delivery.INLINE if self.is_held else Delivery.UPLOADED

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

    def look(self, data: memoryview | bytes) -> None:
        """Check passing data once the type is decided; raises UnsupportedFileTypeError for invalid text."""
        if self._text is not None:
            try:
                self._text.feed(bytes(data))
            except UnsupportedTypeError as error:
                raise self._unsupported(error) from None

    def decide(self) -> None:
        """Decide the type from the first bytes; raises UnsupportedFileTypeError."""
        head = bytes(self.open_slice[:HEAD_BYTES]) if not self.slices else self.slices[0][:HEAD_BYTES]
        try:
            self.decision = decide(
                head,
                declared=self.declared,
                filename=self.filename,
                is_whole=self.is_ended and self.size_bytes <= HEAD_BYTES,
            )
        except UnsupportedTypeError as error:
            raise self._unsupported(error) from None
        check_kind(self.decision.kind, self.decision.mime_type, self.accepts, self.where)
        if self.decision.kind is Kind.TEXT:
            self._text = TextCheck(self.decision.charset or "utf-8")

    def _unsupported(self, error: UnsupportedTypeError) -> UnsupportedFileTypeError:
        return unsupported(error, self.where)

    def close_slice(self) -> None:
        """Add the open slice to the others, after its hash and check."""
        if self.open_slice:
            piece = bytes(self.open_slice)
            self.open_slice = bytearray()
            self.look(piece)
            self._hasher.update(piece)
            self.slices.append(piece)

    def hash(self, data: memoryview) -> None:
        """Hash data that is dropped."""
        self._hasher.update(data)

    def end(self) -> None:
        """Check the whole file at its end; raises WrongClaimError, UnsupportedFileTypeError."""
        self.is_ended = True
        self._check_size()
        if self.decision is None:
            self.decide()
        self.close_slice()
        if self._text is not None:
            try:
                self._text.finish()
            except UnsupportedTypeError as error:
                raise self._unsupported(error) from None
        if self.transfer is None:
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

    def held(self) -> Held:
        """Return the sizes that the spill rule needs."""
        kind = self.type.mime_type
        size = sum(map(len, self.slices)) + len(self.open_slice)
        return Held(size, inline_overhead(kind, self.options), reference_length(kind, self.options))


def unsupported(error: UnsupportedTypeError, where: str) -> UnsupportedFileTypeError:
    """Return the problem for a refused type; it names the file."""
    return UnsupportedFileTypeError(
        f"{where}: {error.reason}",
        errors=(FieldError(where, error.reason, received=error.received, allowed=", ".join(error.allowed)),),
    )


def check_kind(kind: Kind | None, mime_type: str, accepts: frozenset[Kind] | None, where: str) -> None:
    """Refuse a file of a kind that the operation does not accept; raises UnsupportedFileTypeError."""
    if accepts is None or kind in accepts:
        return
    allowed = " or ".join(sorted(one.value for one in accepts))
    message = f"must be {allowed}, it is {mime_type}"
    raise UnsupportedFileTypeError(
        f"{where}: this operation accepts {allowed}; the file is {mime_type}.",
        errors=(FieldError(where, message, received=mime_type, allowed=allowed),),
    )


def slice_of(data: memoryview, held_bytes: int) -> Sequence[memoryview]:
    """Return data cut at steps of 192 KiB from the file's start; the open slice already has `held_bytes`."""
    first = STEP_BYTES - held_bytes
    return [data[:first], *(data[at : at + STEP_BYTES] for at in range(first, len(data), STEP_BYTES))]
