"""Interactions: snake_case only, contents and steps in one list, results that may hold media of their own."""

from dataclasses import replace
from typing import Final

from app.native.scanning.roles import (
    CLOSED,
    DATA,
    MEDIA,
    MIME_TYPE,
    MODEL,
    OTHER,
    OTHER_MODEL,
    RESULT_MEDIA,
    TEXT,
    TOOL_TYPE,
    TREE,
    TYPE,
    Place,
    Table,
    fact,
)
from app.native.scanning.tables.everywhere import ANYWHERE

_RESULT: Final = Place(
    {"uri": RESULT_MEDIA, "data": DATA, "mimeType": MIME_TYPE, "type": TYPE, "text": TEXT}, default=TREE
)
"""A tool's result is the client's own data, or a list of contents: `type` tells which, and may come last."""
_CONTENT: Final[Table] = {
    "name": TEXT,
    "annotations": TREE,
    "processing": {"spreadsheetOptions": {"visibleCells": TEXT}},
}
_STEP: Final[Table] = {
    "id": TEXT,
    "callId": TEXT,
    "serverName": TEXT,
    "content": (TEXT, _CONTENT),
    "summary": (TEXT, _CONTENT),
    "arguments": TREE,
    "result": replace(TEXT, below=_RESULT),
    "error": TREE,
}
_TRANSCRIPTION: Final[Table] = {
    "adaptationPhrases": TEXT,
    "customVocabulary": TEXT,
    "mode": {"sourceText": TEXT},
}
_TOOLS: Final[Table] = {
    "type": TOOL_TYPE,
    "parameters": TREE,
    "shortDescription": TEXT,
    "excludedPredefinedFunctions": TEXT,
    "exaAiSearchConfig": {"apiKey": TEXT, "customConfig": TREE},
    "parallelAiSearchConfig": {"apiKey": TEXT, "customConfig": TREE},
    # An MCP server's: its type is closed unless the operator has opened it.
    "url": OTHER,
    "headers": TREE,
}
_SOURCES: Final[Table] = {"findingId": TEXT, "sourceFiles": {"content": TEXT, "path": TEXT}}
_RESPONSE_FORMAT: Final = Place({"gcsUri": MEDIA}, default=TREE)
"""A format, a list of formats, or a bare JSON Schema."""

INTERACTION: Final = Place(
    {
        "model": MODEL,
        "agent": MODEL,
        "stream": fact("stream"),
        "store": fact("store"),
        "background": fact("is_background"),
        "serviceTier": fact("service_tier"),
        "input": (TEXT, {**_CONTENT, **_STEP}),
        "systemInstruction": (TEXT, _CONTENT),
        "continuationToken": TEXT,
        "generationConfig": {
            "maxOutputTokens": fact("max_output_tokens"),
            "stopSequences": TEXT,
            "transcriptionConfig": _TRANSCRIPTION,
            "speechConfig": {"speaker": TEXT, "speakers": {"speaker": TEXT}},
        },
        "responseFormat": replace(OTHER, below=_RESPONSE_FORMAT),
        "tools": _TOOLS,
        "labels": TREE,
        "environment": CLOSED,
        "agentConfig": {
            "model": OTHER_MODEL,
            # Two clients with the same id would share one session.
            "sessionId": CLOSED,
            "findRequest": _SOURCES,
            "fixRequest": _SOURCES,
        },
    },
    outer=ANYWHERE,
    is_snake_only=True,
)
