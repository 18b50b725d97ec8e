"""The files of one request: checked as they arrive, held or streamed through, and ready for Gemini at the end.

    take ──> decide the type ──> held ──(would not fit inline)──> spill: a resumable session, the held bytes first
                                   │                                  │
    settle <───────────────────────┴──────────────────────────────────┘   finalize, reuse, wait until ACTIVE

Uploads are finalized only in `settle`, after the whole form has arrived and is valid; every other end of the request
leaves nothing upstream. This module knows no HTTP and only the fields of a file.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from app.errors import BodyTooLargeError, BytesNeededError, EmptyFileError, FieldError, FileTooLargeError, GatewayError
from app.gemini.request import FilePart, InlinePart, MediaOptions, base64_length, reference_length
from app.media.buffers import HeldBytes
from app.media.file_service import FileService
from app.media.filenames import clean_filename
from app.media.incoming import Claim, Incoming, slice_of
from app.media.sniff import HEAD_BYTES
from app.media.spill import STEP_BYTES, Held, spills
from app.media.transfer import Transfer
from app.media.types import Kind
from app.settings import Settings
from app.store.records import NO_STORED_LIMITS, Origin, StoredLimits


class Policy(Enum):
    """The treatment of files that fit inline, and of files that do not."""

    FIT = "inline what fits, upload the rest"
    UPLOAD = "upload everything"
    INLINE_ONLY = "refuse what does not fit inline"
    HOLD = "refuse what cannot be held, since its bytes are needed"


@dataclass(frozen=True, slots=True)
class IntakeServices:
    """The services that an intake uses.

    `take_bytes` counts a file's bytes before they are used, and raises the refusal of a limit; the limits are the
    owner's own, None without a limit.
    """

    files: FileService
    held_bytes: HeldBytes
    settings: Settings
    take_bytes: Callable[[int], Awaitable[None]]
    max_file_bytes: int | None = None
    stored_limits: StoredLimits = NO_STORED_LIMITS


class Intake:
    """One request's files, in the order of arrival. An async context manager."""

    def __init__(self, services: IntakeServices, *, owner: str, policy: Policy) -> None:
        self._files = services.files
        self._held_bytes = services.held_bytes
        self._settings = services.settings
        self._owner = owner
        self._take_bytes = services.take_bytes
        self._stored_limits = services.stored_limits
        limits = (services.settings.max_file_bytes, services.max_file_bytes)
        self._max_file_bytes = min(limit for limit in limits if limit is not None)
        self._reserved = 0
        self._uploads = 0
        self._unkept: list[str] = []
        # Sums over finished files, because a form may have thousands of files and is checked after each.
        self._held: dict[int, Held] = {}
        self._inline_length = 0
        self._reference_length = 0
        self.policy = policy
        self.accepts: frozenset[Kind] | None = None
        self.files: list[Incoming] = []
        self.fixed_bytes: Callable[[], int] = _nothing

    async def __aenter__(self) -> "Intake":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Release held bytes, cancel unfinished uploads, and delete finished files that are not to be kept."""
        self._held_bytes.release(self._reserved)
        self._reserved = 0
        # The owner of this callback holds this intake. Without the cycle, the media are freed at once.
        self.fixed_bytes = _nothing
        transfers = [file.transfer for file in self.files if file.transfer is not None]
        try:
            for transfer in transfers:
                await transfer.stop()
        finally:
            # Also if this wait is cancelled, because nobody else would close these sessions.
            for file in self.files:
                file.transfer = None
            for transfer in transfers:
                self._give_up(transfer)
            for name in self._unkept:
                self._files.discard(name)

    @property
    def pending_bytes(self) -> int:
        """Return the bytes of uploads that are not acknowledged yet."""
        transfers = [file.transfer for file in self.files if file.transfer is not None]
        return sum(transfer.size_bytes - transfer.acknowledged_bytes for transfer in transfers)

    def keep_all(self) -> None:
        """Keep every file: later files are streamed through at once."""
        if self.policy is Policy.FIT:
            self.policy = Policy.UPLOAD

    async def take(
        self,
        data: AsyncIterator[memoryview],
        *,
        filename: str | None,
        declared: str | None,
        claim: Claim,
        options: MediaOptions,
    ) -> Incoming | None:
        """Read one file to its end and return it; None for a part without bytes and without a name.

        Raises the file's error (EmptyFileError, UnsupportedFileTypeError, FileTooLargeError, WrongClaimError), the
        error for missing room (BusyError, StoredBytesError, FileQuotaError), or the error of its upload.
        """
        file = Incoming(
            index=len(self.files),
            filename=clean_filename(filename),
            declared=declared,
            claim=claim,
            options=options,
            max_bytes=self._max_file_bytes,
            accepts=self.accepts,
        )
        if claim.size_bytes is not None and claim.size_bytes > file.max_bytes:
            raise FileTooLargeError(
                f"{file.where}: a file may have at most {file.max_bytes} bytes; this one has {claim.size_bytes}."
            )
        self.files.append(file)
        async for piece in data:
            file.count(len(piece))
            await self._take_piece(file, piece)
        if not file.size_bytes:
            self.files.pop()
            if not file.filename:
                return None
            raise EmptyFileError(
                f"{file.where}: the file {file.filename!r} has no bytes.",
                errors=(FieldError(file.where, "Send a file that has bytes.", received="0 bytes"),),
            )
        await self._count(file, file.size_bytes)
        await self._end(file)
        return file

    async def _take_piece(self, file: Incoming, piece: memoryview) -> None:
        if file.reused is not None:
            file.hash(piece)
        elif file.transfer is not None:
            file.look(piece)
            if file.size_bytes - file.counted_bytes >= self._settings.chunk_bytes:
                await self._grow(file, file.transfer)
            await file.transfer.write(piece)
        else:
            for part in slice_of(piece, len(file.open_slice)):
                await self._hold(file, part)

    async def _count(self, file: Incoming, size_bytes: int) -> None:
        if size_bytes > file.counted_bytes:
            await self._take_bytes(size_bytes - file.counted_bytes)
            file.counted_bytes = size_bytes

    async def _grow(self, file: Incoming, transfer: Transfer) -> None:
        # The length is unknown, so the file is counted as it arrives, chunk by chunk.
        await self._count(file, file.size_bytes)
        await self._files.grow(self._owner, transfer.session.name, file.size_bytes, at_most=self._stored_limits)

    async def _hold(self, file: Incoming, part: memoryview) -> None:
        if not file.is_held:
            # An earlier part of the same piece caused the spill.
            await self._take_piece(file, part)
            return
        if not file.open_slice and part:
            self._reserve(STEP_BYTES)
        file.open_slice += part
        if file.decision is None and (file.slices or len(file.open_slice) >= HEAD_BYTES):
            file.decide()
        if len(file.open_slice) == STEP_BYTES:
            file.close_slice()
            await self._step(file)

    async def _step(self, file: Incoming) -> None:
        if self.policy is not Policy.UPLOAD:
            await (self._spill(file) if self._will_spill(file) else self.recheck(reading=file))
        elif file.claim.size_bytes is not None or file.size_bytes >= self._settings.chunk_bytes:
            # Without a claimed length the first chunk is held, so that a file that ends within it is uploaded with its
            # length.
            await self._spill(file)

    def _will_spill(self, file: Incoming) -> bool:
        # A single file too large by its own claim: the rule can only choose this file, so no further bytes are held.
        claimed = file.claim.size_bytes
        if claimed is None or self.policy is not Policy.FIT or any(other.is_held for other in self.files[:-1]):
            return False
        return self.fixed_bytes() + base64_length(claimed) > self._settings.inline_limit_bytes

    async def _end(self, file: Incoming) -> None:
        if file.is_held:
            unused = STEP_BYTES - len(file.open_slice) if file.open_slice else 0
            file.end()
            self._release(unused)
            self._count_held(file)
            await (self._spill(file) if self.policy is Policy.UPLOAD else self.recheck(reading=file))
        else:
            file.end()
            if file.transfer is not None:
                await self._end_transfer(file.transfer)

    async def recheck(self, *, reading: Incoming | None = None) -> None:
        """Spill files that no longer fit; also called after each field."""
        if self.policy is Policy.UPLOAD:
            return
        if reading is not None and self._is_pdf_too_large(reading):
            await self._spill(reading)
        arriving = reading.held() if reading is not None and reading.is_held and not reading.is_ended else None
        fixed = self.fixed_bytes() + self._reference_length
        limit = self._settings.inline_limit_bytes
        if fixed + self._inline_length + (0 if arriving is None else arriving.inline_length) <= limit:
            return
        held = dict(self._held)
        if reading is not None and arriving is not None:
            held[reading.index] = arriving
        index = None if reading is None else reading.index
        for going in spills(held, fixed_bytes=fixed, limit_bytes=limit, reading=index):
            await self._spill(self.files[going])

    def set_options(self, file: Incoming, options: MediaOptions) -> None:
        """Set Gemini's options for a file that has already arrived."""
        if file.is_held:
            self._uncount_held(file)
            file.options = options
            self._count_held(file)
        else:
            self._reference_length -= reference_length(file.type.mime_type, file.options)
            file.options = options
            self._reference_length += reference_length(file.type.mime_type, file.options)

    def _count_held(self, file: Incoming) -> None:
        held = self._held[file.index] = file.held()
        self._inline_length += held.inline_length

    def _uncount_held(self, file: Incoming) -> None:
        held = self._held.pop(file.index, None)
        self._inline_length -= 0 if held is None else held.inline_length

    def _is_pdf_too_large(self, file: Incoming) -> bool:
        is_pdf = file.is_held and file.type.kind is Kind.DOCUMENT
        return is_pdf and file.size_bytes > self._settings.pdf_inline_limit_bytes

    async def _spill(self, file: Incoming) -> None:
        if self.policy is Policy.INLINE_ONLY:
            raise BodyTooLargeError(
                f"{file.where}: the request exceeds the inline limit ({self._settings.inline_limit_bytes} bytes), "
                "and this operation uploads nothing. Send the file to /api/v1/files and name it by file_id."
            )
        if self.policy is Policy.HOLD:
            raise bytes_needed(file.where)
        if file.claim.sha256 is not None and not file.is_ended:
            file.reused = await self._files.known(self._owner, file.claim.sha256)
        if file.reused is None:
            await self._begin(file)
        self._uncount_held(file)
        self._reference_length += reference_length(file.type.mime_type, file.options)
        slices, file.slices = file.slices[::-1], []
        while slices:
            piece = slices.pop()
            if file.transfer is not None:
                await file.transfer.write(piece)
            self._release(len(piece))
        if file.is_ended and file.transfer is not None:
            await self._end_transfer(file.transfer)

    async def _end_transfer(self, transfer: Transfer) -> None:
        await transfer.end()
        # The rest of a small file is its last granule, which is held like any media and needs no upload slot.
        if transfer.is_all_held:
            self._end_upload()
            self._reserve(transfer.size_bytes)

    async def _begin(self, file: Incoming) -> None:
        size = file.size_bytes if file.is_ended else file.claim.size_bytes
        await self._files.room_for(self._owner, size or 0, at_most=self._stored_limits)
        self._held_bytes.begin_upload()
        self._uploads += 1
        try:
            await self._count(file, size or 0)
            session = await self._files.start(
                self._owner, mime_type=file.type.mime_type, size_bytes=size, at_most=self._stored_limits
            )
            try:
                file.transfer = Transfer(session, mime_type=file.type.mime_type, chunk_bytes=self._settings.chunk_bytes)
            except OSError:
                # There is no memory for its chunks, so the session must be closed.
                self._files.abandon(session)
                raise
        except BaseException:
            # However the upload ended, also by cancellation, its slot is released.
            self._end_upload()
            raise

    async def settle(self, *, keep: bool, origin: Origin = Origin.KEPT) -> None:
        """Finish every upload, reuse known files, and wait until all files are ready.

        With `keep`, held files are uploaded too, and every file gets an id. Raises the errors of uploads and of
        Gemini's processing.
        """
        if keep:
            for file in self.files:
                if file.is_held:
                    await self._spill(file)
        elif all(file.is_held for file in self.files):
            return
        try:
            async with asyncio.TaskGroup() as group:
                for file in self.files:
                    group.create_task(self._settle_file(file, origin if keep else None))
        except ExceptionGroup as failures:
            raise _first(failures) from None

    async def _settle_file(self, file: Incoming, origin: Origin | None) -> None:
        if file.transfer is not None:
            file.settle_digest(await file.transfer.settled())
            await self._finish(file, file.transfer)
        known = file.reused
        if known is not None:
            file.upload_name, file.uri = known.upload.name, known.upload.uri
            file.stored, file.expires_at = known, known.upload.expires_at
            file.facts = known.upload.facts
        if file.upload_name is None or origin is None:
            return
        file.stored = await self._files.add(
            self._owner,
            file.upload_name,
            origin=origin,
            filename=file.filename,
            is_reused=file.reused is not None,
        )
        file.expires_at = file.stored.upload.expires_at
        if file.upload_name in self._unkept:
            self._unkept.remove(file.upload_name)

    async def _finish(self, file: Incoming, transfer: Transfer) -> None:
        file.reused = await self._files.known(self._owner, file.sha256 or "")
        if file.reused is not None:
            file.transfer = None
            self._give_up(transfer)
            return
        remote = await transfer.finalize()
        file.transfer = None
        self._leave(transfer)
        self._unkept.append(remote.name)
        file.upload_name, file.uri = remote.name, remote.uri
        file.facts = transfer.facts
        await self._files.complete(remote, size_bytes=file.size_bytes, sha256=file.sha256 or "", facts=transfer.facts)

    def part(self, file: Incoming) -> InlinePart | FilePart:
        """Return a settled file as a part of the request."""
        if file.is_held:
            return InlinePart(file.type.mime_type, file.slices, file.options)
        return FilePart(file.type.mime_type, file.uri or "", file.options)

    def _give_up(self, transfer: Transfer) -> None:
        self._leave(transfer)
        self._files.abandon(transfer.session)

    def _leave(self, transfer: Transfer) -> None:
        if not transfer.is_all_held:
            self._end_upload()

    def _end_upload(self) -> None:
        self._uploads -= 1
        self._held_bytes.end_upload()

    def _reserve(self, size_bytes: int) -> None:
        self._held_bytes.reserve(size_bytes)
        self._reserved += size_bytes

    def _release(self, size_bytes: int) -> None:
        self._held_bytes.release(size_bytes)
        self._reserved -= size_bytes


def bytes_needed(where: str) -> BytesNeededError:
    """Return the error for a file whose own bytes are needed but not available."""
    return BytesNeededError(
        f"{where}: drawing needs the picture's own bytes. Send it in the form, small enough to go inline, or ask "
        "without the overlay."
    )


def _first(failures: ExceptionGroup[Exception]) -> Exception:
    """Return the first failure of a group for the client: an error of the family before a defect."""
    ours, others = failures.split(GatewayError)
    group = ours or others or failures
    first = group.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first


def _nothing() -> int:
    return 0
