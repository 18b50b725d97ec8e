"""A resumable session of the Files API: start, upload, query, finalize, cancel (Files API reference, section 2.1).

    start ──> upload chunk ──> ... ──> upload, finalize ──> file
                 │ unclear?               │ unclear?
                 └──> query ──> resume    └──> query ──> GET the file by its name

A chunk is held by the caller until `send_chunk` returns, so that any byte of the chunk can be sent again. This module
knows no form, no registry and no client; it returns a file's resource as received from Gemini.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import ClientResponse
from yarl import URL

from app.errors import BusyError, UploadFailedError, UpstreamFailedError, UpstreamTimeoutError, UpstreamUnavailableError
from app.gemini.deadline import Deadline, Patience
from app.gemini.refusals import error_of, read_refusal
from app.gemini.remote_files import RemoteFile, describe_file, read_file
from app.gemini.upstream import API_VERSION, Upstream, slices
from app.gemini.whole_answer import read_whole

GRANULARITY = 262_144
CHUNK_LIMIT = "CHUNK_TIMEOUT_S"
MAX_FAILURES = 3
PAUSE_S = 0.2
MAX_ANSWER_BYTES = 1 << 20
MAX_COUNT_DIGITS = 15
TRANSIENT = (UpstreamFailedError, UpstreamTimeoutError, UpstreamUnavailableError)


@dataclass(frozen=True, slots=True)
class UploadReply:
    """Gemini's answer to a command: HTTP status, upload status ("" if absent), bytes received, body."""

    http_status: int
    status: str
    received: int | None
    body: bytes

    @property
    def is_acknowledged(self) -> bool:
        """Whether Gemini accepted the chunk and more chunks may follow."""
        return self.http_status == 200 and self.status == "active"

    @property
    def is_gone(self) -> bool:
        """Whether the session accepts no more bytes."""
        return self.http_status in {404, 410} or self.status in {"cancelled", "final"}


@dataclass(frozen=True, slots=True)
class ActiveUpload:
    """Gemini has `received` bytes and accepts more."""

    received: int


@dataclass(frozen=True, slots=True)
class FinishedUpload:
    """The upload is final: Gemini has `file`."""

    file: RemoteFile


@dataclass(frozen=True, slots=True)
class DroppedUpload:
    """Gemini accepts no more bytes and has no file."""


UploadStanding = ActiveUpload | FinishedUpload | DroppedUpload


def read_count(written: str) -> int | None:
    """Return the number of bytes that a header says; None if the header says none."""
    return int(written) if written.isascii() and written.isdecimal() and len(written) <= MAX_COUNT_DIGITS else None


async def read_masked(upstream: Upstream, answer: ClientResponse) -> bytes:
    """Return an answer's whole body, without the operator's secrets in its errors. Raises UpstreamFailedError."""
    body = await read_whole(answer, MAX_ANSWER_BYTES)
    return await (upstream.masking.document(body) if answer.status < 400 else upstream.masking.error(body))


class ResumableSession:
    """One open session. `url` carries no key; every chunk but the last is a multiple of `granularity` bytes."""

    def __init__(
        self, upstream: Upstream, url: str, *, name: str, granularity: int = GRANULARITY, chunk_timeout_s: float
    ) -> None:
        self._upstream = upstream
        self._timeout_s = chunk_timeout_s
        self.name = name
        self.url = url
        self.granularity = granularity

    async def send_chunk(self, chunk: memoryview, offset: int) -> None:
        """Send the bytes of `chunk`, which begin at `offset` of the file, until all of them are acknowledged.

        Raises UploadFailedError if the session is dead, or after three failures in a row without progress.
        """
        position, end = offset, offset + len(chunk)
        failures = 0
        while position < end:
            reply = await self._command("upload", offset=position, data=chunk[position - offset :])
            received: int | None = end
            if reply is None or not reply.is_acknowledged:
                received = await self._received(reply)
            elif reply.received is not None:
                received = reply.received
            if received is not None and not offset <= received <= end:
                raise UploadFailedError("Gemini has lost bytes that it had acknowledged; send the request again.")
            if received is not None and received > position:
                position, failures = received, 0
                continue
            failures += 1
            await _pause_or_give_up(failures)

    async def finalize(self, tail: memoryview, offset: int) -> RemoteFile:
        """Send the last bytes, finish the upload and return the file, even if Gemini's answer was lost or unreadable.

        Raises UploadFailedError like `send_chunk`.
        """
        position, failures = offset, 0
        while True:
            reply = await self._command("upload, finalize", offset=position, data=tail[position - offset :])
            match await self._standing_if_known(reply):
                case FinishedUpload(file):
                    return file
                case DroppedUpload():
                    raise _dropped()
                case ActiveUpload(received) if offset <= received <= offset + len(tail):
                    position = received
            failures += 1
            await _pause_or_give_up(failures)

    async def _standing_if_known(self, reply: UploadReply | None) -> UploadStanding | None:
        try:
            return await self.standing(after=reply)
        except TRANSIENT:
            return None

    async def cancel(self) -> None:
        """Cancel the session; a session that is already gone is a success."""
        await self._command("cancel")

    async def standing(self, *, after: UploadReply | None = None) -> UploadStanding:
        """Return the state of the upload, from the answer `after` to a finalize, from a query, or from the file's name.

        Raises UpstreamFailedError if all three fail, and the errors of `error_of` if Gemini refuses.
        """
        file = self._file_in(after)
        if file is not None:
            return FinishedUpload(file)
        _raise_if_refused(after)
        reply = await self._command("query")
        file = self._file_in(reply)
        if file is not None:
            return FinishedUpload(file)
        if reply is not None and reply.is_acknowledged and reply.received is not None:
            return ActiveUpload(reply.received)
        _raise_if_refused(reply)
        # The gateway chose the name at random, so no other upload can have created a file of this name.
        file = await self._file_by_name()
        if file is not None:
            return FinishedUpload(file)
        if reply is not None and reply.is_gone and reply.status != "final":
            return DroppedUpload()
        raise UpstreamFailedError("Gemini did not report the offset of the upload; try again in a moment.")

    def _file_in(self, reply: UploadReply | None) -> RemoteFile | None:
        if reply is None or reply.http_status != 200 or reply.status != "final":
            return None
        try:
            file = read_file(reply.body)
        except UpstreamFailedError:
            return None
        return file if file.name == self.name else None

    async def _file_by_name(self) -> RemoteFile | None:
        url = self._upstream.url(f"/{API_VERSION}/files/{self.name}")
        async with self._upstream.request("GET", url, headers={}, timeout_s=self._timeout_s, is_control=True) as answer:
            body = await read_masked(self._upstream, answer)
        if answer.status == 200:
            file = describe_file(body)
            if file.name != self.name:
                raise UpstreamFailedError("Gemini answered with a different file than requested.")
            return file
        # Gemini answers 403 for a file that it does not have.
        if answer.status in {403, 404}:
            return None
        raise error_of(read_refusal(answer.status, body))

    async def _received(self, reply: UploadReply | None) -> int | None:
        _raise_if_dead(reply)
        answer = await self._command("query")
        _raise_if_dead(answer)
        return None if answer is None else answer.received

    async def _command(
        self, command: str, *, offset: int | None = None, data: memoryview | None = None, tries: int = MAX_FAILURES
    ) -> UploadReply | None:
        """Send one command with bytes in memory. Raises BusyError if no connection was free in any try."""
        body, length = (slices(data), len(data)) if data else (None, 0)
        patience = Patience.total(self._timeout_s, CHUNK_LIMIT)
        try:
            return await self._send(command, offset, body, length, patience)
        except BusyError:
            # If the upload ended here, the client would send all bytes again that Gemini has already.
            if tries == 1:
                raise
        return await self._command(command, offset=offset, data=data, tries=tries - 1)

    async def command(
        self,
        command: str,
        *,
        offset: int | None = None,
        body: AsyncIterator[memoryview] | None = None,
        length: int | None = 0,
    ) -> UploadReply | None:
        """Send one command with `length` bytes (None: unknown) that arrive from a client.

        Return None without a whole answer. Raises BusyError if no connection was free.
        """
        timeout_s = self._timeout_s
        patience = Patience(timeout_s, CHUNK_LIMIT, pause_s=timeout_s, stream_s=timeout_s)
        return await self._send(command, offset, body, length, patience)

    async def _send(
        self,
        command: str,
        offset: int | None,
        body: AsyncIterator[memoryview] | None,
        length: int | None,
        patience: Patience,
    ) -> UploadReply | None:
        headers = {"X-Goog-Upload-Command": command}
        if length is not None:
            headers["Content-Length"] = str(length)
        if offset is not None:
            headers["X-Goog-Upload-Offset"] = str(offset)
        try:
            async with self._upstream.request(
                "POST",
                URL(self.url, encoded=True),
                headers=headers,
                body=body,
                deadline=Deadline(patience),
                is_control=body is None,
            ) as answer:
                return UploadReply(
                    answer.status,
                    answer.headers.get("X-Goog-Upload-Status", "").lower(),
                    read_count(answer.headers.get("X-Goog-Upload-Size-Received", "")),
                    await read_masked(self._upstream, answer),
                )
        except TRANSIENT:
            return None


async def _pause_or_give_up(failures: int) -> None:
    if failures >= MAX_FAILURES:
        raise UploadFailedError("The upload to Gemini made no progress in three tries; send the request again.")
    await asyncio.sleep(PAUSE_S * 2**failures)


def _raise_if_refused(reply: UploadReply | None) -> None:
    if reply is not None and reply.http_status in {401, 403, 429}:
        raise error_of(read_refusal(reply.http_status, reply.body))


def _raise_if_dead(reply: UploadReply | None) -> None:
    if reply is not None and reply.is_gone:
        raise _dropped()
    _raise_if_refused(reply)


def _dropped() -> UploadFailedError:
    return UploadFailedError("Gemini closed the upload session; send the request again.")
