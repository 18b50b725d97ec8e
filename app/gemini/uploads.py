"""Opens upload sessions at Gemini, and resumes those of another process or request.

start ──> Gemini's answer, judged: upload URL, granularity ──> ResumableSession
"""

import orjson
from yarl import URL

from app.errors import FileQuotaError, GatewayError, LengthRequiredError, UpstreamFailedError
from app.gemini.refusals import error_of, read_refusal
from app.gemini.resumable import GRANULARITY, ResumableSession, read_count, read_masked
from app.gemini.upstream import API_VERSION, Upstream

MAX_URL_CHARS = 4_096


class UnknownLengths:
    """Whether Gemini accepts sessions of unknown length: by the setting, or by its refusals in this process."""

    def __init__(self, policy: str) -> None:
        self._is_learning = policy == "auto"
        self.are_taken = policy != "no"

    def learn_refusal(self) -> None:
        """Remember that a start without a length was refused for the missing length."""
        if self._is_learning:
            self.are_taken = False


class ResumableUploads:
    """Opens and resumes sessions. A session's granularity is at most `max_granularity` bytes."""

    def __init__(
        self,
        upstream: Upstream,
        *,
        unknown_lengths: UnknownLengths,
        chunk_timeout_s: float,
        max_granularity: int,
    ) -> None:
        self._upstream = upstream
        self._timeout_s = chunk_timeout_s
        self._max_granularity = max_granularity
        self.unknown_lengths = unknown_lengths

    async def start(
        self, *, name: str, mime_type: str, size_bytes: int | None, display_name: str | None = None
    ) -> ResumableSession:
        """Open a session for the file `name` (without `files/`); `size_bytes` is None if unknown.

        Raises LengthRequiredError if Gemini accepts no unknown length, FileQuotaError, the errors of `error_of`, and
        UpstreamFailedError for an answer with an unusable upload URL or granularity.
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
            said = await read_masked(self._upstream, answer)
        if answer.status != 200:
            raise self._start_refused(answer.status, said, size_bytes)
        return ResumableSession(
            self._upstream,
            self._checked(answer.headers.get("X-Goog-Upload-URL", "")),
            name=name,
            granularity=self._granularity(answer.headers.get("X-Goog-Upload-Chunk-Granularity", "")),
            chunk_timeout_s=self._timeout_s,
        )

    def resume(self, url: str, *, name: str) -> ResumableSession:
        """Resume a session by its URL."""
        return ResumableSession(self._upstream, self._checked(url), name=name, chunk_timeout_s=self._timeout_s)

    def _checked(self, url: str) -> str:
        try:
            parsed = URL(url if len(url) <= MAX_URL_CHARS else "", encoded=True)
            is_own = parsed.origin() in self._upstream.origins
        except ValueError:
            # No host, a port that is no number, or not absolute.
            is_own = False
        if not is_own:
            raise UpstreamFailedError("Gemini gave an upload URL at a foreign address; the URL is not used.")
        return str(URL(url, encoded=True).without_query_params("key"))

    def _granularity(self, written: str) -> int:
        granularity = read_count(written) if written else GRANULARITY
        # Bounded, since chunks of this many bytes are held in memory.
        if granularity is None or not 1 <= granularity <= self._max_granularity:
            raise UpstreamFailedError(
                f"Gemini requires chunks in multiples of {written[:20]!r} bytes, "
                f"but CHUNK_BYTES allows at most {self._max_granularity}."
            )
        return granularity

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
        "Gemini accepts no upload of unknown length: give file_size (bytes) as a field before the file part, "
        "or a Content-Length header with a raw body."
    )
