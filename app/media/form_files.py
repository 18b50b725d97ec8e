"""The files of one request: checked as they arrive, held or streamed through, and ready for Gemini at the end.

    take ──> decide the type ──> held ──(would not fit inline)──> spill: a resumable session, the held bytes first
                                   │                                  │
    settle <───────────────────────┴──────────────────────────────────┘   finalize, reuse, wait until ACTIVE

Uploads are finalized only in `settle`, after the whole form has arrived and is valid; every other end of the request
leaves nothing upstream. This module knows no HTTP and only the fields of a file.
"""

import asyncio
from collections.abc import AsyncIterator
from enum import Enum

from app.errors import BodyTooLargeError, BytesNeededError, EmptyFileError, FieldError, FileTooLargeError, GatewayError
from app.gemini.request import MediaOptions
from app.media.buffers import HeldShare
from app.media.claims import Claim
from app.media.filenames import clean_filename
from app.media.form_uploads import FormFileServices, FormUploads
from app.media.incoming_file import Held, IncomingFile, Reused, Uploading, slice_of
from app.media.request_size import RequestSize
from app.media.spill import STEP_BYTES
from app.media.types import MediaKind
from app.store.records import Origin


class UploadPolicy(Enum):
    """The treatment of files that fit inline, and of files that do not."""

    FIT = "inline what fits, upload the rest"
    UPLOAD = "upload everything"
    INLINE_ONLY = "refuse what does not fit inline"
    HOLD = "refuse what cannot be held, since its bytes are needed"


class FormFiles:
    """One request's files, in the order of arrival. An async context manager.

    `accepts` are the kinds of files that the operation takes, None for all. The form that the files belong to shares
    `size`, and sets the sizes of its other parts there.
    """

    def __init__(
        self,
        services: FormFileServices,
        *,
        owner: str,
        policy: UploadPolicy,
        accepts: frozenset[MediaKind] | None = None,
    ) -> None:
        self._settings = services.settings
        limits = (services.settings.max_file_bytes, services.max_file_bytes)
        self._max_file_bytes = min(limit for limit in limits if limit is not None)
        self._policy = policy
        self._accepts = accepts
        self._share = HeldShare(services.held_bytes)
        self._uploads = FormUploads(services, owner, self._share)
        self._files: list[IncomingFile] = []
        self.size = RequestSize(services.settings.inline_limit_bytes)

    async def __aenter__(self) -> "FormFiles":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Release held bytes, cancel unfinished uploads, and delete finished files that are not to be kept."""
        self._share.close()
        await self._uploads.close()

    @property
    def all(self) -> list[IncomingFile]:
        """Return the files, the one being read included."""
        return self._files

    @property
    def pending_bytes(self) -> int:
        """Return the bytes of uploads that are not acknowledged yet."""
        return self._uploads.pending_bytes

    def keep_all(self) -> None:
        """Keep every file: later files are streamed through at once."""
        if self._policy is UploadPolicy.FIT:
            self._policy = UploadPolicy.UPLOAD

    def need_bytes(self) -> None:
        """Hold every file, because its bytes are needed here: a file that cannot be held is refused."""
        self._policy = UploadPolicy.HOLD

    def release_bytes(self) -> None:
        """Let files be uploaded that `need_bytes` has held."""
        if self._policy is UploadPolicy.HOLD:
            self._policy = UploadPolicy.FIT

    async def take(
        self,
        data: AsyncIterator[memoryview],
        *,
        filename: str | None,
        declared: str | None,
        claim: Claim,
        options: MediaOptions,
        charset: str | None = None,
    ) -> IncomingFile | None:
        """Read one file to its end and return it; None for a part without bytes and without a name.

        `charset` is the codec that the client names for a text.

        Raises the file's error (EmptyFileError, UnsupportedFileTypeError, FileTooLargeError, WrongClaimError), the
        error for missing room (BusyError, StoredBytesError, FileQuotaError), or the error of its upload.
        """
        file = IncomingFile(
            index=len(self._files),
            filename=clean_filename(filename),
            declared=declared,
            claim=claim,
            options=options,
            max_bytes=self._max_file_bytes,
            accepts=self._accepts,
            charset=charset,
        )
        if claim.size_bytes is not None and claim.size_bytes > file.max_bytes:
            raise FileTooLargeError(
                f"{file.where}: a file may have at most {file.max_bytes} bytes; this one has {claim.size_bytes}."
            )
        self._files.append(file)
        self.size.set_file_count(len(self._files))
        async for piece in data:
            file.count(len(piece))
            await self._take_piece(file, piece)
        if not file.size_bytes:
            self._files.pop()
            self.size.set_file_count(len(self._files))
            if not file.filename:
                return None
            raise EmptyFileError(
                f"{file.where}: the file {file.filename!r} has no bytes.",
                errors=(FieldError(file.where, "Send a file that has bytes.", received="0 bytes"),),
            )
        await self._uploads.count(file, file.size_bytes)
        await self._end(file)
        return file

    async def _take_piece(self, file: IncomingFile, piece: memoryview) -> None:
        match file.state:
            case Reused():
                file.hash(piece)
            case Uploading(transfer):
                file.look(piece)
                await self._uploads.write(file, transfer, piece)
            case Held(open_slice=open_slice):
                for part in slice_of(piece, len(open_slice)):
                    await self._hold(file, part)

    async def _hold(self, file: IncomingFile, part: memoryview) -> None:
        held = file.state
        if not isinstance(held, Held):
            # An earlier part of the same piece caused the spill.
            await self._take_piece(file, part)
            return
        if not held.open_slice and part:
            self._share.reserve(STEP_BYTES)
        before = held.size_bytes + len(part)
        if file.hold(held, part):
            self._share.change(held.size_bytes - before)
            await self._step(file)

    async def _step(self, file: IncomingFile) -> None:
        if self._policy is not UploadPolicy.UPLOAD:
            await (self._spill(file) if self._will_spill(file) else self.recheck(reading=file))
        elif (
            file.claim.size_bytes is not None and not file.is_held_whole
        ) or file.size_bytes >= self._settings.chunk_bytes:
            # Without a claimed length the first chunk is held, so that a file that ends within it is uploaded with its
            # length.
            await self._spill(file)

    def _will_spill(self, file: IncomingFile) -> bool:
        # A single file too large by its own claim: the rule can only choose this file, so no further bytes are held.
        claimed = file.claim.size_bytes
        if claimed is None or self._policy is not UploadPolicy.FIT or any(other.is_held for other in self._files[:-1]):
            return False
        return self.size.is_too_large(claimed)

    async def _end(self, file: IncomingFile) -> None:
        if isinstance(file.state, Held):
            unused = STEP_BYTES - len(file.state.open_slice) if file.state.open_slice else 0
            before = file.state.size_bytes
            file.end()
            self._share.change(file.state.size_bytes - before - unused)
            self.size.hold(file.index, file.held_size())
            await (self._spill(file) if self._policy is UploadPolicy.UPLOAD else self.recheck(reading=file))
        else:
            file.end()
            if isinstance(file.state, Uploading):
                await self._uploads.end(file.state.transfer)

    async def recheck(self, *, reading: IncomingFile | None = None) -> None:
        """Spill files that no longer fit; also called after each field."""
        if self._policy is UploadPolicy.UPLOAD:
            return
        if reading is not None and self._is_pdf_too_large(reading):
            await self._spill(reading)
        is_arriving = reading is not None and reading.is_held and not reading.is_ended
        arriving = reading.held_size() if reading is not None and is_arriving else None
        for going in self.size.spilling(None if reading is None else reading.index, arriving):
            await self._spill(self._files[going])

    def set_options(self, file: IncomingFile, options: MediaOptions) -> None:
        """Set Gemini's options for a file that has already arrived."""
        if file.is_held:
            file.set_options(options)
            self.size.hold(file.index, file.held_size())
        else:
            self.size.refer(-file.reference_length)
            file.set_options(options)
            self.size.refer(file.reference_length)

    def _is_pdf_too_large(self, file: IncomingFile) -> bool:
        is_pdf = file.is_held and file.type.kind is MediaKind.DOCUMENT
        return is_pdf and file.size_bytes > self._settings.pdf_inline_limit_bytes

    async def _spill(self, file: IncomingFile) -> None:
        if self._policy is UploadPolicy.INLINE_ONLY:
            raise BodyTooLargeError(
                f"{file.where}: the request exceeds the inline limit ({self._settings.inline_limit_bytes} bytes), "
                "and this operation uploads nothing. Send the file to /api/v1/files and name it by file_id."
            )
        if self._policy is UploadPolicy.HOLD:
            raise bytes_needed(file.where)
        file.check_spill()
        known = None
        if file.claim.sha256 is not None and not file.is_ended:
            known = await self._uploads.known(file.claim.sha256)
        to = Uploading(await self._uploads.open(file)) if known is None else Reused(known)
        self.size.let_go(file.index)
        self.size.refer(file.reference_length)
        slices = file.spill(to)
        slices.reverse()
        while slices:
            piece = slices.pop()
            if isinstance(to, Uploading):
                await to.transfer.write(piece)
            self._share.release(len(piece))
        if file.is_ended and isinstance(to, Uploading):
            await self._uploads.end(to.transfer)

    async def settle(self, *, keep: bool, origin: Origin = Origin.KEPT) -> None:
        """Finish every upload, reuse known files, and wait until all files are ready.

        With `keep`, held files are uploaded too, and every file gets an id. Raises the errors of uploads and of
        Gemini's processing.
        """
        if keep:
            for file in self._files:
                if file.is_held:
                    await self._spill(file)
        elif all(file.is_held for file in self._files):
            return
        try:
            async with asyncio.TaskGroup() as group:
                for file in self._files:
                    group.create_task(self._settle_file(file, origin if keep else None))
        except ExceptionGroup as failures:
            raise _first(failures) from None

    async def _settle_file(self, file: IncomingFile, origin: Origin | None) -> None:
        if isinstance(file.state, Uploading):
            await self._uploads.finish(file, file.state.transfer)
        if isinstance(file.state, Reused):
            file.keep(file.state.file)
        name = file.upload_name
        if name is not None and origin is not None:
            await self._uploads.keep(file, name, origin)


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
