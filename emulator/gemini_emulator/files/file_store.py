"""The files of the project: added whole, found by id, listed newest first, gone when they expire.

It knows the emulator's clock and quota, and nothing of uploads or HTTP.
"""

import asyncio
import base64
import binascii
import re
import secrets
import string

from gemini_emulator.clock import Clock
from gemini_emulator.config import EmulatorConfig
from gemini_emulator.failures import ApiFailureError, invalid, unknown_file
from gemini_emulator.faults import Fault
from gemini_emulator.files.reception import Allowance, KeptBytes, Reception
from gemini_emulator.files.stored import FileRequest, StoredFile
from gemini_emulator.senses import can_be, duration_of

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_ALPHABET = string.ascii_lowercase + string.digits
_MADE_ID_CHARS = 12
_MAX_DISPLAY_NAME_CHARS = 512


class FileStore:
    """All stored files, by id, oldest first."""

    def __init__(self, config: EmulatorConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._allowance = Allowance(config.kept_total_bytes)
        self._files: dict[str, StoredFile] = {}
        self._stored_bytes = 0
        self._last_number = 0

    def new_reception(self) -> Reception:
        """Begin to take in a file."""
        return Reception(KeptBytes(self._allowance, self._config.kept_bytes))

    def check(self, request: FileRequest) -> None:
        """Check the limits that can be checked before any byte has arrived. Raises ApiFailureError."""
        if request.file_id and not _ID.fullmatch(request.file_id):
            raise invalid(
                "* CreateFileRequest.file.name: File name must be of the form `files/<id>`; the id may have up to 40 "
                "lowercase letters, digits and dashes, and no dash at either end."
            )
        if len(request.display_name) > _MAX_DISPLAY_NAME_CHARS:
            raise invalid("* CreateFileRequest.file.display_name: must have at most 512 characters.")
        self._purge()
        if request.file_id in self._files:
            raise _already_exists(request.file_id)
        self.check_size(request.size_bytes or 0)

    def check_size(self, size_bytes: int) -> None:
        """Refuse a file of this size when it is too large by itself or beside the others; raises ApiFailureError."""
        if size_bytes > self._config.max_file_bytes:
            raise invalid(f"The file is too large: at most {self._config.max_file_bytes} bytes are allowed.")
        self._purge()
        if self._stored_bytes + size_bytes > self._config.project_quota_bytes:
            raise ApiFailureError(
                429,
                "You have exceeded the file storage quota of your project "
                f"({self._config.project_quota_bytes} bytes). Delete files or wait until they expire.",
            )

    async def add(self, request: FileRequest, reception: Reception, fault: Fault | None) -> StoredFile:
        """Store a file that is whole; `fault` is a `processing` fault. Raises ApiFailureError as `check` does."""
        sha256 = await reception.sha256()
        self.check(request)
        self.check_size(reception.received_bytes)
        is_video = request.mime_type.startswith("video/")
        duration = None
        is_plausible = True
        if is_video:
            head = await asyncio.to_thread(reception.kept.joined)
            is_plausible = can_be(head, request.mime_type)
            duration = await asyncio.to_thread(duration_of, head, request.mime_type)
            self.check(request)
        now = self._clock.now()
        delay_s = fault.delay_s if fault else self._config.processing_delay_s if is_video else 0.0
        is_bad = fault.then == "FAILED" if fault else not is_plausible
        self._last_number += 1
        file = StoredFile(
            number=self._last_number,
            file_id=request.file_id or self._made_id(),
            mime_type=request.mime_type,
            display_name=request.display_name,
            size_bytes=reception.received_bytes,
            sha256=sha256,
            created_at=now,
            ready_at=now + delay_s,
            expires_at=now + self._config.file_lifetime_s,
            kept=reception.kept,
            duration=duration,
            error="The file could not be processed: it is not of the type that it is said to be." if is_bad else "",
        )
        self._files[file.file_id] = file
        self._stored_bytes += file.size_bytes
        return file

    def get(self, file_id: str) -> StoredFile:
        """Find a file; raises ApiFailureError (403) when there is none."""
        self._purge()
        file = self._files.get(file_id)
        if file is None:
            raise unknown_file(file_id)
        return file

    def delete(self, file_id: str) -> None:
        """Delete a file; raises ApiFailureError (403) when there is none."""
        self._drop(self.get(file_id))

    def page(self, size: int, token: str) -> tuple[list[StoredFile], str]:
        """Return a page of files, newest first, and the token of the next page or "".

        Raises ApiFailureError for an invalid token.
        """
        self._purge()
        before = _number_of(token) if token else self._last_number + 1
        older = [file for file in reversed(self._files.values()) if file.number < before]
        page = older[:size]
        is_more = len(older) > size
        return page, base64.urlsafe_b64encode(b"%d" % page[-1].number).decode() if is_more else ""

    def everything(self) -> list[StoredFile]:
        """Return all files, oldest first."""
        self._purge()
        return list(self._files.values())

    def clear(self) -> None:
        """Drop all files."""
        for file in list(self._files.values()):
            self._drop(file)

    def _purge(self) -> None:
        now = self._clock.now()
        while self._files:
            oldest = next(iter(self._files.values()))
            if oldest.expires_at > now:
                return
            self._drop(oldest)

    def _drop(self, file: StoredFile) -> None:
        del self._files[file.file_id]
        self._stored_bytes -= file.size_bytes
        file.kept.release()

    def _made_id(self) -> str:
        # Without a dash: the SDKs cut an id at the first one.
        return "".join(secrets.choice(_ALPHABET) for _ in range(_MADE_ID_CHARS))


def _already_exists(file_id: str) -> ApiFailureError:
    return ApiFailureError(409, f"Requested entity already exists: files/{file_id}.")


def _number_of(token: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError) as error:
        raise invalid("* ListFilesRequest.page_token: the page token is not valid.") from error
