"""A stored file and its resource as the API shows it (Files API reference, section 2)."""

import base64
from dataclasses import dataclass

from gemini_emulator.clock import rfc3339
from gemini_emulator.files.reception import KeptBytes

URI_PREFIX = "https://generativelanguage.googleapis.com/v1beta/files/"


@dataclass(frozen=True, slots=True)
class FileRequest:
    """A client's description of a file at the start of its upload; `file_id` is "" if the client chose no id."""

    file_id: str
    display_name: str
    mime_type: str
    size_bytes: int | None


@dataclass(slots=True, eq=False)
class StoredFile:
    """A file that is whole. Times are seconds since the epoch on the emulator's clock; `number` grows with each file.

    It is PROCESSING until `ready_at`, then ACTIVE, or FAILED when `error` is set.
    """

    number: int
    file_id: str
    mime_type: str
    display_name: str
    size_bytes: int
    sha256: bytes
    created_at: float
    ready_at: float
    expires_at: float
    kept: KeptBytes
    duration: float | None = None
    error: str = ""

    def state_at(self, now: float) -> str:
        """Return the state at a time."""
        if now < self.ready_at:
            return "PROCESSING"
        return "FAILED" if self.error else "ACTIVE"

    def resource(self, now: float) -> dict[str, object]:
        """Render the file. Google's hash is the base64 of the hex digest."""
        state = self.state_at(now)
        resource: dict[str, object] = {"name": f"files/{self.file_id}"}
        if self.display_name:
            resource["displayName"] = self.display_name
        resource |= {
            "mimeType": self.mime_type,
            "sizeBytes": str(self.size_bytes),
            "createTime": rfc3339(self.created_at),
            "updateTime": rfc3339(self.created_at if state == "PROCESSING" else max(self.created_at, self.ready_at)),
            "expirationTime": rfc3339(self.expires_at),
            "sha256Hash": base64.b64encode(self.sha256.hex().encode()).decode(),
            "uri": URI_PREFIX + self.file_id,
            "state": state,
            "source": "UPLOADED",
        }
        if state == "ACTIVE" and self.duration is not None:
            resource["videoMetadata"] = {"videoDuration": f"{self.duration:g}s"}
        if state == "FAILED":
            resource["error"] = {"code": 3, "message": self.error}
        return resource
