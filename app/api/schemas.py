"""The models of the REST surface's answers: each field always present, null if empty."""

from datetime import date, datetime
from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, SkipValidation

Int = Annotated[int, Field(json_schema_extra={"format": "int64"})]
Number = Annotated[float, Field(json_schema_extra={"format": "double"})]


class ResponseModel(BaseModel):
    """The base of answers: in the OpenAPI document, every field is required."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    def json_bytes(self) -> bytes:
        """Return the answer as JSON."""
        # The same as `model_dump_json`, in less than half the time.
        return orjson.dumps(self, default=vars, option=orjson.OPT_UTC_Z)


class ProblemField(ResponseModel):
    """An error in one field."""

    field: str = Field(description="Path of the field, for example file[2].")
    received: str | None
    allowed: str | None
    message: str


class ProblemUpstream(ResponseModel):
    """Gemini's own answer behind a problem."""

    status: Int
    code: str
    message: str


class Problem(ResponseModel):
    """A problem detail (RFC 9457)."""

    type: str = Field(description="URL of the page that explains the code.")
    title: str
    status: Int
    detail: str
    instance: str | None
    code: str
    request_id: str
    errors: list[ProblemField]
    retryable: bool
    retry_after_s: Number | None
    upstream: ProblemUpstream | None


class TokensByModality(ResponseModel):
    """Tokens of each modality."""

    text: Int = 0
    image: Int = 0
    audio: Int = 0
    video: Int = 0
    document: Int = 0


class TokenUsage(ResponseModel):
    """The usage of a call."""

    input_tokens: Int
    output_tokens: Int
    thinking_tokens: Int
    cached_tokens: Int
    total_tokens: Int
    input_by_modality: TokensByModality
    estimated_cost_usd: Number | None


class CallWarning(ResponseModel):
    """A defect that did not stop the call."""

    code: str
    field: str | None
    detail: str


class FileReport(ResponseModel):
    """One media part of the call, in the order of the prompt."""

    index: Int
    id: str | None
    filename: str | None
    mime_type: str | None
    declared_mime_type: str | None
    size_bytes: Int | None
    sha256: str | None
    delivery: str = Field(description="inline, uploaded, reused or referenced.")
    expires_at: datetime | None


class Generation(ResponseModel):
    """The model's answer."""

    id: str
    created_at: datetime
    model: str = Field(description="The model that answered.")
    requested_model: str = Field(description="The requested model, before aliases.")
    text: str
    parsed: SkipValidation[dict[str, object] | None] = Field(
        description="With response_schema: the text as JSON, when it is whole and conforms; else null. It is of the "
        "type that the schema gives its top level; generated clients expect an object."
    )
    finish_reason: str = Field(
        description="Gemini's finish reason in lower case; blocked, or unspecified if Gemini gave no reason."
    )
    block_reason: str | None
    finish_message: str | None
    thoughts: str | None
    warnings: list[CallWarning]
    usage: TokenUsage
    files: list[FileReport]
    metadata: SkipValidation[dict[str, object] | None]


class StreamEvent(BaseModel):
    """An event of a stream; absent fields are left out. Exactly one done or error ends a stream."""

    type: Literal["start", "status", "delta", "done", "error"]
    id: str | None = None
    model: str | None = None
    files: list[FileReport] | None = None
    stage: str | None = None
    bytes: Int | None = None
    text: str | None = None
    thought: bool | None = None
    response: Generation | None = None
    problem: Problem | None = None
    text_so_far_chars: Int | None = None


class TokenCount(ResponseModel):
    """The estimated usage of a call."""

    model: str
    total_tokens: Int
    by_modality: TokensByModality
    estimated_cost_usd: Number | None


class FileFacts(ResponseModel):
    """Facts read from the file's own bytes; null if unknown."""

    width: Int | None = Field(description="In pixels, of the picture as displayed.")
    height: Int | None
    duration: Number | None = Field(description="In seconds.")
    pages: Int | None


class MediaFile(ResponseModel):
    """A file that calls can name by its id until it expires."""

    id: str
    filename: str | None
    mime_type: str
    size_bytes: Int
    sha256: str | None = Field(description="In hex.")
    state: Literal["processing", "active", "failed"]
    error: str | None
    media: FileFacts
    created_at: datetime
    expires_at: datetime


class MediaFileList(ResponseModel):
    """A page of files, newest first."""

    data: list[MediaFile]
    has_more: bool
    next: str | None = Field(description="Pass this value as after to get the next page.")


class GeminiModel(ResponseModel):
    """A model that takes media and generates text."""

    id: str
    display_name: str
    input_token_limit: Int | None
    output_token_limit: Int | None
    accepts: list[str]
    is_default: bool
    aliases: list[str]


class GeminiModelList(ResponseModel):
    """A page of models."""

    data: list[GeminiModel]
    has_more: bool
    next: str | None


class UsageRow(ResponseModel):
    """The total usage of one day, model, operation or user; the other three fields are null."""

    day: date | None = Field(description="Day in UTC.")
    model: str | None = Field(description="By model: null for calls that asked no model, such as uploads.")
    operation: str | None
    user: str | None = Field(description="By user: null for calls of the key itself.")
    calls: Int
    failed_calls: Int = Field(description="Number of calls that ended with a problem.")
    unpriced_calls: Int = Field(description="Number of calls with tokens of unknown price; the cost leaves them out.")
    input_tokens: Int = Field(description="Includes tokens from a cache.")
    output_tokens: Int
    thinking_tokens: Int
    cached_tokens: Int
    input_by_modality: TokensByModality
    bytes_in: Int
    bytes_out: Int
    estimated_cost_usd: Number | None


class UsageReport(ResponseModel):
    """The client's usage, at most 1,000 rows: days newest first, models and operations by tokens, most first."""

    data: list[UsageRow]
    has_more: bool = Field(description="Whether there are more than 1,000 rows; then request a shorter period.")
    since: datetime
    until: datetime


class Health(ResponseModel):
    """Whether the process is alive."""

    status: str


class Readiness(ResponseModel):
    """Whether the process can take calls: its own state, and the last probe of Gemini."""

    status: str = Field(description="ready, degraded (Gemini or Redis is unavailable) or unavailable.")
    database: str
    gemini: str
    limits: str = Field(description="away while Redis is unavailable and LIMITS_ON_OUTAGE decides.")


class ClientToken(ResponseModel):
    """A short-lived token; it is shown only once."""

    token: str
    expires_at: datetime
    user: str
    scopes: list[str]
    max_requests: Int | None
    warnings: list[CallWarning] = Field(
        description="`no-total-limit`: no limit holds for all users of the key together."
    )
