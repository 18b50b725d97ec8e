"""A resumable session of the Files API: start, upload, query, finalize, cancel (Files API reference, section 2.1).

    start ──> upload chunk ──> ... ──> upload, finalize
                 │ unclear?
                 └──> query ──> go on from what was received

A chunk is held by the caller until `send_chunk` returns, so that it can be sent again from any byte of it. This module
knows no form, no registry and no client; it hands over a file's resource as Gemini gave it.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson
from aiohttp import ClientResponse
from yarl import URL

from app.errors import (
    FileQuotaError,
    GatewayError,
    LengthRequiredError,
    UploadFailedError,
    UpstreamFailedError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from app.gemini.refusals import error_of, read_refusal
from app.gemini.remote_files import RemoteFile, read_file
from app.gemini.upstream import API_VERSION, Upstream

GRANULARITY = 262_144
MAX_FAILURES = 3
SLICE_BYTES = 65_536
MAX_ANSWER_BYTES = 1 << 20
TRANSIENT = (UpstreamFailedError, UpstreamTimeoutError, UpstreamUnavailableError)


@dataclass(frozen=True, slots=True)
class Said:
    """What an answer says of the session: HTTP status, upload status ("" when it says none), bytes received, body."""

    http_status: int
    status: str
    received: int | None
    body: bytes


async def _slices(view: memoryview) -> AsyncIterator[memoryview]:
    # In one piece, a chunk would be copied whole into the transport's buffer.
    for start in range(0, len(view), SLICE_BYTES):
        yield view[start : start + SLICE_BYTES]


class UnknownLengths:
    """Whether Gemini takes sessions of unknown length: as set, or as this process has learnt."""

    def __init__(self, policy: str) -> None:
        self._is_learning = policy == "auto"
        self.are_taken = policy != "no"

    def learn_refusal(self) -> None:
        """Remember that a start without a length was refused for it."""
        if self._is_learning:
            self.are_taken = False


class ResumableSession:
    """One open session. `url` carries no key; `granularity` is what every chunk but the last is a multiple of."""

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

        Raises UploadFailedError when the session is dead or three failures in a row brought no progress.
        """
        position, end = offset, offset + len(chunk)
        failures = 0
        while position < end:
            said = await self._command("upload", offset=position, data=chunk[position - offset :])
            received: int | None = end
            if said is None or said.http_status != 200 or said.status != "active":
                received = await self._received(said)
            elif said.received is not None:
                received = said.received
            if received is not None and not offset <= received <= end:
                raise UploadFailedError("Gemini has lost bytes that it had acknowledged; send the request again.")
            if received is not None and received > position:
                position, failures = received, 0
                continue
            failures += 1
            await self._pause_or_give_up(failures)

    async def finalize(self, tail: memoryview, offset: int) -> RemoteFile:
        """Send the last bytes and finish; gives the file. An answer that was lost is asked for again.

        Raises UploadFailedError as `send_chunk` does.
        """
        position, failures = offset, 0
        while True:
            said = await self._command("upload, finalize", offset=position, data=tail[position - offset :])
            if said is None or not (said.http_status == 200 and said.status == "final"):
                said = await self._command("query") or said
            if said is not None and said.status == "final":
                if said.body:
                    return read_file(said.body)
                raise UploadFailedError("Gemini finished the upload without naming the file; send the request again.")
            self._raise_if_dead(said)
            if said is not None and said.received is not None and offset <= said.received <= offset + len(tail):
                position = said.received
            failures += 1
            await self._pause_or_give_up(failures)

    async def cancel(self) -> None:
        """Cancel the session; that it is already gone is as good."""
        await self._command("cancel")

    async def _received(self, said: Said | None) -> int | None:
        self._raise_if_dead(said)
        answer = await self._command("query")
        self._raise_if_dead(answer)
        return None if answer is None else answer.received

    def _raise_if_dead(self, said: Said | None) -> None:
        if said is None:
            return
        if said.http_status in {404, 410} or said.status in {"cancelled", "final"}:
            raise UploadFailedError("Gemini has dropped the upload; send the request again.")
        if said.http_status in {401, 403, 429}:
            raise error_of(read_refusal(said.http_status, self._upstream.masking.body(said.body)))

    async def _pause_or_give_up(self, failures: int) -> None:
        if failures >= MAX_FAILURES:
            raise UploadFailedError("The upload to Gemini made no progress in three tries; send the request again.")
        await asyncio.sleep(0.2 * 2**failures)

    async def query(self) -> Said:
        """Ask what Gemini has. Raises UpstreamFailedError when no answer comes that says so."""
        said = await self._command("query")
        if said is None or (said.http_status >= 500 and not said.status):
            raise UpstreamFailedError("Gemini did not say what it has of the upload; try again.")
        return said

    async def _command(self, command: str, *, offset: int | None = None, data: memoryview | None = None) -> Said | None:
        body = _slices(data) if data else None
        return await self.command(command, offset=offset, body=body, length=0 if data is None else len(data))

    async def command(
        self,
        command: str,
        *,
        offset: int | None = None,
        body: AsyncIterator[memoryview] | None = None,
        length: int | None = 0,
    ) -> Said | None:
        """Send one command with `length` bytes (None: as many as come); None when no answer came."""
        headers = {"X-Goog-Upload-Command": command}
        if length is not None:
            headers["Content-Length"] = str(length)
        if offset is not None:
            headers["X-Goog-Upload-Offset"] = str(offset)
        url = URL(self.url, encoded=True)
        try:
            async with self._upstream.request(
                "POST", url, headers=headers, body=body, timeout_s=self._timeout_s
            ) as answer:
                return await _said(answer)
        except TRANSIENT:
            return None


async def _said(answer: ClientResponse) -> Said:
    received = answer.headers.get("X-Goog-Upload-Size-Received", "")
    return Said(
        answer.status,
        answer.headers.get("X-Goog-Upload-Status", "").lower(),
        int(received) if received.isdecimal() else None,
        await answer.content.read(MAX_ANSWER_BYTES),
    )


class ResumableUploads:
    """Opens sessions, and picks up those of another process."""

    def __init__(
        self, upstream: Upstream, *, unknown_lengths: UnknownLengths, origins: frozenset[str], chunk_timeout_s: float
    ) -> None:
        self._upstream = upstream
        self._origins = origins | {str(upstream.base.origin())}
        self._timeout_s = chunk_timeout_s
        self.unknown_lengths = unknown_lengths

    async def start(
        self, *, name: str, mime_type: str, size_bytes: int | None, display_name: str | None = None
    ) -> ResumableSession:
        """Open a session for the file `name` (without `files/`); `size_bytes` None means that it is not known.

        Raises LengthRequiredError when Gemini takes no unknown length, FileQuotaError, and what Gemini's refusal means.
        """
        if size_bytes is None and not self.unknown_lengths.are_taken:
            raise _length_required()
        resource: dict[str, object] = {"name": f"files/{name}", "mimeType": mime_type}
        headers = {
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Type": mime_type,
            "Content-Type": "application/json",
        }
        if display_name is not None:
            resource["displayName"] = display_name
        if size_bytes is not None:
            resource["sizeBytes"] = str(size_bytes)
            headers["X-Goog-Upload-Header-Content-Length"] = str(size_bytes)
        url = self._upstream.url(f"/upload/{API_VERSION}/files")
        body = orjson.dumps({"file": resource})
        async with self._upstream.request("POST", url, headers=headers, body=body, timeout_s=self._timeout_s) as answer:
            if answer.status != 200:
                body = await self._upstream.masking.error(await answer.content.read(MAX_ANSWER_BYTES))
                raise self._start_refused(answer.status, body, size_bytes)
            granularity = answer.headers.get("X-Goog-Upload-Chunk-Granularity", "")
            return ResumableSession(
                self._upstream,
                self._checked(answer.headers.get("X-Goog-Upload-URL", "")),
                name=name,
                granularity=int(granularity) if granularity.isdecimal() and int(granularity) else GRANULARITY,
                chunk_timeout_s=self._timeout_s,
            )

    def resume(self, url: str, *, name: str) -> ResumableSession:
        """Pick up a session by its URL."""
        return ResumableSession(self._upstream, self._checked(url), name=name, chunk_timeout_s=self._timeout_s)

    def _checked(self, url: str) -> str:
        parsed = URL(url, encoded=True) if url else URL()
        if not parsed.is_absolute() or str(parsed.origin()) not in self._origins:
            raise UpstreamFailedError("Gemini gave an upload address that is not its own; it is not used.")
        return str(parsed.without_query_params("key"))

    def _start_refused(self, status: int, body: bytes, size_bytes: int | None) -> GatewayError:
        refusal = read_refusal(status, body)
        words = refusal.message.lower()
        if size_bytes is None and status in {400, 411} and ("length" in words or "size" in words):
            self.unknown_lengths.learn_refusal()
            return _length_required()
        if status == 429 and "storage" in words:
            return FileQuotaError("Gemini's file storage is full.", retry_after_s=3600, upstream=refusal.said)
        return error_of(refusal)


def _length_required() -> LengthRequiredError:
    return LengthRequiredError(
        "Gemini takes no upload of unknown length: give file_size (bytes) as a field before the file part, "
        "or a Content-Length header with a raw body."
    )
