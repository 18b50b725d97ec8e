"""What the REST surface says: the models of its answers, each field always present, null when empty."""

from datetime import date, datetime
from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, SkipValidation

Int = Annotated[int, Field(json_schema_extra={"format": "int64"})]
Number = Annotated[float, Field(json_schema_extra={"format": "double"})]


class Answer(BaseModel):
    """The root of answers: in the document, every field is required."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    def json_bytes(self) -> bytes:
        """Write it as JSON: what `model_dump_json` gives, for less than half."""
        return orjson.dumps(self, default=vars, option=orjson.OPT_UTC_Z)


class ProblemField(Answer):
    """What is wrong with one field."""

    field: str = Field(description="The field's path, for example file[2].")
    received: str | None
    allowed: str | None
    message: str


class ProblemUpstream(Answer):
    """What Gemini said."""

    status: Int
    code: str
    message: str


class Problem(Answer):
    """A problem detail (RFC 9457)."""

    type: str = Field(description="The address of the page that explains the code.")
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


class TokensByModality(Answer):
    """Tokens of each modality."""

    text: Int = 0
    image: Int = 0
    audio: Int = 0
    video: Int = 0
    document: Int = 0


class TokenUsage(Answer):
    """What a call used."""

    input_tokens: Int
    output_tokens: Int
    thinking_tokens: Int
    cached_tokens: Int
    total_tokens: Int
    input_by_modality: TokensByModality
    estimated_cost_usd: Number | None


class CallWarning(Answer):
    """Something that did not stop the call."""

    code: str
    field: str | None
    detail: str


class FileReport(Answer):
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


class Generation(Answer):
    """The model's answer."""

    id: str
    created_at: datetime
    model: str = Field(description="The model that answered.")
    requested_model: str = Field(description="The model that was asked for, before aliases.")
    text: str
    parsed: SkipValidation[dict[str, object] | None] = Field(
        description="With response_schema: the text as JSON, when it is whole and conforms; else null. It is of the "
        "type that the schema gives its top level; generated clients expect an object."
    )
    finish_reason: str = Field(description="Gemini's finish reason in lower case, or blocked.")
    block_reason: str | None
    finish_message: str | None
    thoughts: str | None
    warnings: list[CallWarning]
    usage: TokenUsage
    files: list[FileReport]
    metadata: SkipValidation[dict[str, object] | None]


class StreamEvent(BaseModel):
    """One event of a stream; it leaves out what it lacks. Exactly one done or error ends a stream."""

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


class TokenCount(Answer):
    """What a call would use."""

    model: str
    total_tokens: Int
    by_modality: TokensByModality
    estimated_cost_usd: Number | None


class FileFacts(Answer):
    """What the file's own bytes told; null where they did not."""

    width: Int | None = Field(description="Pixels, of the picture as displayed.")
    height: Int | None
    duration: Number | None = Field(description="Seconds.")
    pages: Int | None


class MediaFile(Answer):
    """A file that can be asked about by its id until it expires."""

    id: str
    filename: str | None
    mime_type: str
    size_bytes: Int
    sha256: str | None = Field(description="Hex.")
    state: Literal["processing", "active", "failed"]
    error: str | None
    media: FileFacts
    created_at: datetime
    expires_at: datetime


class MediaFileList(Answer):
    """A page of files, newest first."""

    data: list[MediaFile]
    has_more: bool
    next: str | None = Field(description="Give it as after to get the next page.")


class GeminiModel(Answer):
    """A model that takes media and generates."""

    id: str
    display_name: str
    input_token_limit: Int | None
    output_token_limit: Int | None
    accepts: list[str]
    is_default: bool
    aliases: list[str]


class GeminiModelList(Answer):
    """A page of models."""

    data: list[GeminiModel]
    has_more: bool
    next: str | None


class UsageRow(Answer):
    """What the calls of one day, model, operation or user used together; the other three are null."""

    day: date | None = Field(description="UTC's.")
    model: str | None = Field(description="Null by model: calls that asked none, such as uploads.")
    operation: str | None
    user: str | None = Field(description="Null by user: calls of the key itself.")
    calls: Int
    failed_calls: Int = Field(description="Those answered with a problem.")
    unpriced_calls: Int = Field(description="Those with tokens whose price is not known; the cost lacks them.")
    input_tokens: Int = Field(description="Those from a cache too.")
    output_tokens: Int
    thinking_tokens: Int
    cached_tokens: Int
    input_by_modality: TokensByModality
    bytes_in: Int
    bytes_out: Int
    estimated_cost_usd: Number | None


class UsageReport(Answer):
    """The client's usage: days newest first, models and operations most tokens first, at most 1,000."""

    data: list[UsageRow]
    has_more: bool = Field(description="Whether there are more than 1,000; ask for a shorter time.")
    since: datetime
    until: datetime


class Health(Answer):
    """Whether the process is alive."""

    status: str


class Readiness(Answer):
    """Whether the process can take calls: its own state, and the last probe of Gemini."""

    status: str = Field(description="ready, or degraded when only Gemini, or the Redis that counts, is away.")
    database: str
    gemini: str
    limits: str = Field(description="away while LIMITS_ON_OUTAGE decides.")


class ClientToken(Answer):
    """A short-lived token; it is shown this once."""

    token: str
    expires_at: datetime
    user: str
    scopes: list[str]
    max_requests: Int | None
