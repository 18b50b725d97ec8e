"""OpenAI's chat completions and embeddings, as Google serves them: snake_case only."""

from typing import Final

from app.native.scanning.references import ObjectKind
from app.native.scanning.roles import (
    DATA,
    MODEL,
    PAID_TREE,
    TEXT,
    TOOL_TYPE,
    TREE,
    USAGE_OPTION,
    Place,
    Table,
    fact,
    reference,
)
from app.native.scanning.tables.everywhere import ANYWHERE

_PART: Final[Table] = {
    "refusal": TEXT,
    # Here `filename` is a title, while `file_name` goes on to be a reference.
    "file": (reference(ObjectKind.FILE), {"filename": TEXT, "fileData": DATA}),
}
_CONTENT: Final = (TEXT, _PART)
_FUNCTION: Final[Table] = {"arguments": TEXT, "parameters": TREE}
_MESSAGE: Final[Table] = {
    "content": _CONTENT,
    "name": TEXT,
    "refusal": TEXT,
    "reasoning": TEXT,
    "reasoningContent": TEXT,
    "reasoningDetails": TREE,
    "annotations": TREE,
    "audio": {"id": TEXT, "transcript": TEXT},
    "toolCallId": TEXT,
    "toolCalls": {"id": TEXT, "function": _FUNCTION, "custom": {"input": TEXT}},
    "functionCall": _FUNCTION,
}

CHAT: Final = Place(
    {
        "model": MODEL,
        "stream": fact("stream"),
        "streamOptions": (USAGE_OPTION, {"includeUsage": USAGE_OPTION}),
        "n": fact("candidates"),
        "maxTokens": fact("max_output_tokens"),
        "maxCompletionTokens": fact("max_output_tokens"),
        "serviceTier": fact("service_tier"),
        "messages": _MESSAGE,
        "prediction": {"content": _CONTENT},
        "stop": TEXT,
        "user": TEXT,
        "safetyIdentifier": TEXT,
        "promptCacheKey": TEXT,
        "metadata": TREE,
        "tools": {"type": TOOL_TYPE, "function": _FUNCTION, "custom": {"format": TREE}},
        "functions": _FUNCTION,
        "toolChoice": TREE,
        "responseFormat": {"jsonSchema": {"schema": TREE}},
        "webSearchOptions": PAID_TREE,
    },
    outer=ANYWHERE,
    is_snake_only=True,
)
EMBEDDINGS: Final = Place({"model": MODEL, "input": TEXT, "user": TEXT}, outer=ANYWHERE, is_snake_only=True)
