"""Where the SDKs' types of requests have strings: paths in their JSON, and documents with a string at one of them.

Google's types are pydantic models, OpenAI's are typed dictionaries. A path is a tuple of names; "[]" stands for an
element of a list, "{}" for a value of a map.
"""

import enum
import json
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Union

import pydantic
from google.genai import types as sdk
from google.genai._gaos.types import interactions as gaos
from openai.types import embedding_create_params
from openai.types.chat import completion_create_params
from typing_extensions import is_typeddict

from app.errors import ForbiddenError
from app.native.scanning import JsonScanner, Role
from app.native.scanning.policy import (
    BATCH,
    BATCH_EMBED,
    CACHE,
    GENERATE,
    INTERACTIONS,
    LIVE,
    OPENAI_CHAT,
    OPENAI_EMBEDDINGS,
    Policy,
)

Path = tuple[str, ...]
_SCALARS = (int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class StringField:
    """One string field of a request: its surface, and its path in the JSON."""

    policy: Policy
    path: Path

    @property
    def name(self) -> str:
        """The name of the field, of the map or the list that holds it."""
        return [name for name in self.path if name not in {"[]", "{}"}][-1]

    def document(self, value: object) -> Any:
        """Return a request with `value` at this field, and nothing else."""
        for name in reversed(self.path):
            value = [value] if name == "[]" else {"a key": value} if name == "{}" else {name: value}
        return value


def _paths(kind: Any, path: Path, above: frozenset[Any]) -> Iterator[Path]:
    """Yield the paths of all strings in a type. A type within itself is entered once."""
    kind = getattr(kind, "__value__", kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {Union, types.UnionType}:
        for each in arguments:
            yield from _paths(each, path, above)
    elif origin is typing.Literal or kind in _SCALARS:
        return
    elif origin is dict:
        yield from _paths(arguments[1], (*path, "{}"), above)
    elif origin in {typing.Annotated, typing.Required, typing.NotRequired}:
        yield from _paths(arguments[0], path, above)
    elif arguments:
        yield from _paths(arguments[0], (*path, "[]"), above)
    elif isinstance(kind, type) and issubclass(kind, enum.Enum):
        return
    elif kind not in above:
        yield from _members(kind, path, above | {kind})


def _members(kind: Any, path: Path, above: frozenset[Any]) -> Iterator[Path]:
    if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel):
        for name, field in kind.model_fields.items():
            yield from _paths(field.annotation, (*path, field.alias or name), above)
    elif is_typeddict(kind):
        for name, annotation in typing.get_type_hints(kind, include_extras=True).items():
            yield from _paths(annotation, (*path, name), above)
    elif kind in {str, bytes, typing.Any, object}:
        yield path


def _all() -> Iterator[StringField]:
    prompt: dict[Path, Any] = {
        ("contents", "[]"): sdk.Content,
        ("systemInstruction",): sdk.Content,
        ("tools", "[]"): sdk.Tool,
        ("toolConfig",): sdk.ToolConfig,
    }
    generate: dict[Path, Any] = {
        **prompt,
        ("generationConfig",): sdk.GenerationConfig,
        ("safetySettings", "[]"): sdk.SafetySetting,
        ("labels",): dict[str, str],
    }
    inlined = ("batch", "inputConfig", "requests", "requests", "[]")
    tables: list[tuple[Policy, dict[Path, Any]]] = [
        (GENERATE, generate),
        (CACHE, {**prompt, ("displayName",): str}),
        (BATCH_EMBED, {("requests", "[]", "content"): sdk.Content, ("requests", "[]", "title"): str}),
        (
            BATCH,
            {
                ("batch", "displayName"): str,
                (*inlined, "metadata"): dict[str, str],
                **{(*inlined, "request", *path): kind for path, kind in generate.items()},
            },
        ),
        (
            LIVE,
            {
                **{("setup", *path): kind for path, kind in generate.items()},
                ("setup", "inputAudioTranscription"): sdk.AudioTranscriptionConfig,
                ("setup", "outputAudioTranscription"): sdk.AudioTranscriptionConfig,
                ("setup", "sessionResumption"): sdk.SessionResumptionConfig,
                ("clientContent",): sdk.LiveClientContent,
                ("realtimeInput",): sdk.LiveClientRealtimeInput,
                ("toolResponse",): sdk.LiveClientToolResponse,
            },
        ),
        (INTERACTIONS, {(): gaos.CreateModelInteraction | gaos.CreateAgentInteraction}),
        (OPENAI_CHAT, {(): completion_create_params.CompletionCreateParamsNonStreaming}),
        (OPENAI_EMBEDDINGS, {(): embedding_create_params.EmbeddingCreateParams}),
    ]
    for policy, kinds in tables:
        for path, kind in kinds.items():
            for found in _paths(kind, path, frozenset()):
                yield StringField(policy, found)


STRING_FIELDS = tuple(dict.fromkeys(_all()))
"""Every string field of the SDKs' requests, on every surface."""


def role_of(field: StringField) -> str:
    """Return the role of a field for the scanner: reference, free, word, model, or closed."""
    scanner = JsonScanner(field.policy)
    try:
        found = scanner.feed(json.dumps(field.document("files/abc")).encode()) + scanner.end()
    except ForbiddenError:
        return "closed"
    if not found:
        return "free"
    if found[0].field.role in {Role.REFERENCE, Role.MEDIA_REFERENCE}:
        return "reference"
    return "model" if found[0].field.role is Role.MODEL else "word"
