"""The options of generate and chat: the models of the form and of the JSON body, and Gemini's options made of them."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from app.api.field_errors import ClosedModel
from app.api.fields import (
    JSON_TEXT,
    Boolean,
    Charset,
    FileId,
    FileResolution,
    FileSize,
    FramesPerSecond,
    MediaResolution,
    Metadata,
    MetadataText,
    ModelName,
    OfFile,
    OutputTokens,
    ReadJson,
    Safety,
    Schema,
    SchemaText,
    Seconds,
    Seed,
    Sha256,
    Temperature,
    ThinkingLevel,
    Time,
    TopK,
    TopP,
)
from app.gemini.request import MediaOptions, Options

MAX_STOPS = 16
MAX_MESSAGES = 1_000
MAX_CONTENTS = 10_000


class CommonOptions(ClosedModel):
    """The options that the form and the JSON body share."""

    model: ModelName | None = Field(
        None, description="A model's name or alias; by default the gateway's default model."
    )
    system_instruction: str | None = Field(None, description="Instruction for the whole conversation.")
    temperature: Temperature | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    max_output_tokens: OutputTokens | None = None
    stop: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[], max_length=MAX_STOPS, description="Text at which the answer stops; repeatable, not split at commas."
    )
    seed: Seed | None = None
    thinking_level: ThinkingLevel | None = None
    include_thoughts: Boolean | None = None
    safety: Safety | None = Field(None, description="off switches Gemini's adjustable filters off.")
    stream: Boolean | None = Field(None, description="Answer with server-sent events.")
    timeout_s: Seconds | None = Field(None, description="Seconds from the end of the body to the answer.")


class FileFields(ClosedModel):
    """Gemini's options for one file of the prompt."""

    start: Time | None = Field(
        None, description="Seconds from the start of the file; forms also accept M:SS and H:MM:SS."
    )
    end: Time | None = None
    fps: FramesPerSecond | None = Field(None, description="Frames per second that Gemini samples.")
    media_resolution: FileResolution | None = None

    def media_options(self) -> MediaOptions:
        """Return the options as the request builder takes them."""
        return MediaOptions(self.start, self.end, self.fps, self.media_resolution)


class MessagePart(FileFields):
    """One part of a message: exactly one of text, file_id, inline_data and url."""

    text: str | None = None
    file_id: FileId | None = None
    inline_data: str | None = Field(None, description="Base64; mime_type gives the type.")
    url: str | None = Field(None, description="URL that Gemini fetches: YouTube, or https if the gateway allows it.")
    mime_type: str | None = Field(None, max_length=255)


# People write messages as other APIs take them. These shapes are taken too, but are not in the OpenAPI document.
def _content_of_text(value: object) -> object:
    return [{"text": value}] if isinstance(value, str) else value


def _part_without_type(value: object) -> object:
    if not isinstance(value, dict) or "type" not in value:
        return value
    if value["type"] == "text":
        return {name: item for name, item in value.items() if name != "type"}
    raise PydanticCustomError(
        "part_type",
        'has the form of another API. Send {{"inline_data": BASE64, "mime_type": "image/png"}}, {{"url": URL}} or '
        '{{"file_id": ID}} instead',
        {"allowed": "text, file_id, inline_data, url"},
    )


class Message(ClosedModel):
    """One turn; the role assistant means model."""

    role: Annotated[
        Literal["user", "model", "assistant", "system"],
        WithJsonSchema({"enum": ["user", "model", "assistant"], "type": "string"}),
    ]
    content: Annotated[
        list[Annotated[MessagePart, BeforeValidator(_part_without_type)]], BeforeValidator(_content_of_text)
    ] = Field(fail_fast=True)

    def system_text(self) -> str:
        """Return the text of a message whose role is system; raises ValueError if a part is not text."""
        texts = [part.text for part in self.content]
        if not texts or any(text is None for text in texts):
            raise ValueError("messages[0].content must be text, since its role is system")
        return "\n\n".join(text for text in texts if text is not None)


class ContentItem(FileFields):
    """One item of `contents`: exactly one of text, file (the number of a file part, from 0) and file_id."""

    text: str | None = None
    file: Annotated[int, Field(ge=0)] | None = None
    file_id: FileId | None = None
    file_size: FileSize | None = None
    sha256: Sha256 | None = None
    charset: Charset | None = None


class ChatRequest(CommonOptions):
    """A conversation of many turns."""

    messages: list[Message] = Field(min_length=1, max_length=MAX_MESSAGES, fail_fast=True)
    response_schema: Schema | None = Field(None, description="JSON Schema of the answer.")
    media_resolution: MediaResolution | None = None
    metadata: Metadata | None = Field(None, description="Repeated in the answer; at most 2000 bytes of JSON.")

    @property
    def turns(self) -> list[Message]:
        """Return the messages without a system message at their head."""
        return self.messages[1:] if self.has_system_message else self.messages

    @property
    def has_system_message(self) -> bool:
        """Whether the first message is the system instruction."""
        return self.messages[0].role == "system"

    @model_validator(mode="after")
    def _take_system_message(self) -> Self:
        if self.has_system_message:
            if self.system_instruction is not None:
                raise ValueError("the system instruction is given twice: by messages[0] and by system_instruction")
            if not self.turns:
                raise ValueError("messages must have a message after the system message")
            self.system_instruction = self.messages[0].system_text()
        return self


FileUpload = Annotated[list[bytes], Field(default=[], description="Any media; repeatable.")]


class GenerateForm(CommonOptions):
    """A prompt and media; the order of the parts is the order of the prompt."""

    prompt: list[str] = Field(default=[], description="Text of the prompt; repeatable.")
    contents: Annotated[
        Annotated[list[ContentItem], Field(max_length=MAX_CONTENTS, fail_fast=True)] | None, ReadJson, JSON_TEXT
    ] = Field(
        None,
        description='The order of the prompt, if parts arrive in any order: [{"text": "Before:"}, {"file": 0}, '
        '{"file_id": "file_..."}].',
    )
    messages: Annotated[
        Annotated[list[Message], Field(max_length=MAX_MESSAGES, fail_fast=True)] | None, ReadJson, JSON_TEXT
    ] = Field(None, description="Earlier turns.")
    file_size: Annotated[list[FileSize], OfFile()] = Field(
        default=[], description="Size in bytes of the file that follows."
    )
    sha256: Annotated[list[Sha256], OfFile()] = Field(
        default=[], description="SHA-256 in hex of the file that follows."
    )
    charset: Annotated[list[Charset], OfFile()] = Field(
        default=[], description="Charset of the text file that follows, if it is not UTF-8."
    )
    start: Annotated[list[Time], OfFile()] = Field(
        default=[], description="Seconds, M:SS or H:MM:SS, in the file that follows."
    )
    end: Annotated[list[Time], OfFile()] = Field(default=[])
    fps: Annotated[list[FramesPerSecond], OfFile()] = Field(default=[])
    media_resolution: Annotated[list[FileResolution], OfFile(is_option_too=True, not_as_option="ultra_high")] = Field(
        default=[], description="For the file that follows; without such a file, for the whole request."
    )
    file_id: list[FileId] = Field(default=[], description="Id of an uploaded file; repeatable.")
    file: FileUpload
    response_schema: SchemaText | None = Field(None, description="JSON Schema of the answer.")
    keep_file: Boolean | None = Field(None, description="Keep each file under an id until it expires.")
    metadata: MetadataText | None = Field(None, description="Repeated in the answer; at most 2000 bytes of JSON.")


# The options that go into Gemini's request.
OPTION_NAMES = frozenset(
    {
        "system_instruction",
        "temperature",
        "top_p",
        "top_k",
        "max_output_tokens",
        "stop",
        "seed",
        "response_schema",
        "thinking_level",
        "include_thoughts",
        "media_resolution",
        "safety",
    }
)


def options_of(form: "GenerateForm | ChatRequest") -> Options:
    """Return the options that go into Gemini's request."""
    resolution = form.media_resolution
    return Options(
        system_instruction=form.system_instruction,
        temperature=form.temperature,
        top_p=form.top_p,
        top_k=form.top_k,
        max_output_tokens=form.max_output_tokens,
        stop=tuple(form.stop),
        seed=form.seed,
        response_schema=form.response_schema,
        thinking_level=form.thinking_level,
        include_thoughts=form.include_thoughts,
        media_resolution=(resolution[0] if resolution else None) if isinstance(resolution, list) else resolution,
        safety=form.safety,
    )
