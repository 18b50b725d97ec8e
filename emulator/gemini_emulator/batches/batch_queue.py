"""The batches of the project: answered at once, shown when their time has come.

    PENDING ── half of the delay ──> RUNNING ── the other half ──> SUCCEEDED
        └──────────── cancel ──────────┴──> CANCELLED

It knows the emulator's clock, and nothing of HTTP.
"""

import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from gemini_emulator.clock import Clock, rfc3339
from gemini_emulator.failures import ApiFailureError

_ALPHABET = string.ascii_lowercase + string.digits
_ID_CHARS = 24
_MAX_BATCHES = 1_000
_TYPES = "type.googleapis.com/google.ai.generativelanguage.v1beta."
_FILE_PREFIX = "batch-"


@dataclass(slots=True, eq=False)
class Batch:
    """A batch; `results` have `key` or `metadata`, and `response` or `error`. Times are seconds since the epoch."""

    number: int
    batch_id: str
    model: str
    display_name: str
    method: str
    is_from_file: bool
    results: Sequence[Mapping[str, object]]
    created_at: float
    ready_at: float
    cancelled_at: float | None = None

    def state_at(self, now: float) -> str:
        """Return the state at a time, without its prefix."""
        if self.cancelled_at is not None:
            return "CANCELLED"
        if now >= self.ready_at:
            return "SUCCEEDED"
        return "PENDING" if now < (self.created_at + self.ready_at) / 2 else "RUNNING"

    def resource(self, now: float) -> dict[str, object]:
        """Render the operation that the batch is."""
        state = self.state_at(now)
        is_embedding = self.method == "asyncBatchEmbedContent"
        kind = "EmbedContentBatch" if is_embedding else "GenerateContentBatch"
        ended_at = self.cancelled_at or (self.ready_at if state == "SUCCEEDED" else None)
        metadata: dict[str, object] = {
            "@type": _TYPES + kind,
            "model": f"models/{self.model}",
            "displayName": self.display_name,
            "state": f"BATCH_STATE_{state}",
            "createTime": rfc3339(self.created_at),
            "updateTime": rfc3339(ended_at or self.created_at),
            "batchStats": self._stats(state),
            "name": f"batches/{self.batch_id}",
        }
        operation: dict[str, object] = {"name": f"batches/{self.batch_id}", "metadata": metadata}
        if ended_at is not None:
            metadata["endTime"] = rfc3339(ended_at)
            operation["done"] = True
        if state == "CANCELLED":
            operation["error"] = {"code": 1, "message": "The operation was cancelled."}
        if state == "SUCCEEDED":
            metadata["output"] = self._output(is_embedding=is_embedding)
            operation["response"] = {"@type": f"{_TYPES}{kind}Output", **self._output(is_embedding=is_embedding)}
        return operation

    def results_file(self) -> bytes:
        """Write the results as JSON lines."""
        return b"".join(orjson.dumps(result) + b"\n" for result in self.results)

    def _output(self, *, is_embedding: bool) -> dict[str, object]:
        if self.is_from_file:
            return {"responsesFile": f"files/{_FILE_PREFIX}{self.batch_id}"}
        name = "inlinedEmbedContentResponses" if is_embedding else "inlinedResponses"
        return {name: {"inlinedResponses": list(self.results)}}

    def _stats(self, state: str) -> dict[str, object]:
        total = len(self.results)
        if state != "SUCCEEDED":
            return {"requestCount": str(total), "pendingRequestCount": str(total)}
        failed = sum("error" in result for result in self.results)
        counted = {"successfulRequestCount": total - failed, "failedRequestCount": failed}
        return {"requestCount": str(total), **{name: str(count) for name, count in counted.items() if count}}


class BatchQueue:
    """All batches, by id, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._batches: dict[str, Batch] = {}
        self._last_number = 0

    def add(
        self,
        *,
        model: str,
        display_name: str,
        method: str,
        is_from_file: bool,
        results: Sequence[Mapping[str, object]],
        delay_s: float,
    ) -> Batch:
        """Add a batch that ends after some seconds. Raises ApiFailureError (429) for too many batches."""
        if len(self._batches) >= _MAX_BATCHES:
            raise ApiFailureError(429, "Too many batches. Delete some.")
        self._last_number += 1
        batch_id = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_CHARS))
        now = self._clock.now()
        batch = Batch(
            self._last_number, batch_id, model, display_name, method, is_from_file, results, now, now + delay_s
        )
        self._batches[batch_id] = batch
        return batch

    def get(self, batch_id: str) -> Batch:
        """Find a batch; raises ApiFailureError (404) when there is none."""
        batch = self._batches.get(batch_id)
        if batch is None:
            raise ApiFailureError(404, "Requested entity was not found.")
        return batch

    def cancel(self, batch_id: str) -> None:
        """Cancel a batch that is not done; one that is stays as it is. Raises ApiFailureError (404)."""
        batch, now = self.get(batch_id), self._clock.now()
        if batch.state_at(now) in {"PENDING", "RUNNING"}:
            batch.cancelled_at = now

    def delete(self, batch_id: str) -> None:
        """Delete a batch and its results; raises ApiFailureError (404) when there is none."""
        del self._batches[self.get(batch_id).batch_id]

    def results_file(self, file_id: str) -> bytes | None:
        """Return the content of a file of results; None for any other name."""
        batch = self._batches.get(file_id.removeprefix(_FILE_PREFIX)) if file_id.startswith(_FILE_PREFIX) else None
        if batch is None or not batch.is_from_file or batch.state_at(self._clock.now()) != "SUCCEEDED":
            return None
        return batch.results_file()

    def everything(self) -> list[Batch]:
        """Return all batches, oldest first."""
        return list(self._batches.values())

    def clear(self) -> None:
        """Drop all."""
        self._batches.clear()
