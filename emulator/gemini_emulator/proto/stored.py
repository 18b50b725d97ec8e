"""The messages of stored objects: caches, batches and interactions (surfaces reference)."""

from typing import Final

from gemini_emulator.proto.kinds import MapOf, Message, Repeated, Scalar, message
from gemini_emulator.proto.messages import EMBED_CONTENT, GENERATE_CONTENT

_STRING, _BOOL, _INT32, _INT64 = Scalar.STRING, Scalar.BOOL, Scalar.INT32, Scalar.INT64
_FLOAT, _STRUCT, _VALUE = Scalar.FLOAT, Scalar.STRUCT, Scalar.VALUE

CACHED_CONTENT: Final = message(
    "CachedContent",
    {
        "name": _STRING,
        "displayName": _STRING,
        **{
            name: GENERATE_CONTENT.fields[name][2]
            for name in ("model", "contents", "systemInstruction", "tools", "toolConfig")
        },
        "ttl": Scalar.DURATION,
        "expireTime": _STRING,
        "createTime": _STRING,
        "updateTime": _STRING,
        "usageMetadata": _STRUCT,
    },
    one_of=frozenset({"ttl", "expireTime"}),
)


def _create_batch(prefix: str, request: Message) -> Message:
    inlined = message("InlinedRequest", {"request": request, "metadata": _STRUCT})
    source = message(
        "InputConfig",
        {"fileName": _STRING, "requests": message("InlinedRequests", {"requests": Repeated(inlined)})},
        one_of=frozenset({"fileName", "requests"}),
    )
    batch = message(
        f"{prefix}Batch",
        {"name": _STRING, "model": _STRING, "displayName": _STRING, "priority": _INT64, "inputConfig": source},
    )
    return message(f"{prefix}Request", {"model": _STRING, "batch": batch})


BATCH_GENERATE_CONTENT: Final = _create_batch("BatchGenerateContent", GENERATE_CONTENT)
ASYNC_BATCH_EMBED_CONTENT: Final = _create_batch("AsyncBatchEmbedContent", EMBED_CONTENT)
# What stands in a line's request is parsed by itself: one that is wrong fails alone.
BATCH_LINE: Final = message("BatchLine", {"key": _STRING, "request": _STRUCT, "metadata": _STRUCT})

CREATE_INTERACTION: Final = message(
    "CreateInteractionRequest",
    {
        "model": _STRING,
        "agent": _STRING,
        "input": _VALUE,
        "systemInstruction": _STRING,
        "previousInteractionId": _STRING,
        "continuationToken": _STRING,
        "stream": _BOOL,
        "store": _BOOL,
        "background": _BOOL,
        "generationConfig": message(
            "InteractionGenerationConfig",
            {
                "temperature": _FLOAT,
                "topP": _FLOAT,
                "seed": _INT32,
                "stopSequences": Repeated(_STRING),
                "maxOutputTokens": _INT32,
                "thinkingLevel": _STRING,
                "thinkingSummaries": _STRING,
                "toolChoice": _VALUE,
                "speechConfig": _VALUE,
                "imageConfig": _STRUCT,
                "videoConfig": _STRUCT,
                "transcriptionConfig": _STRUCT,
            },
        ),
        "responseFormat": _VALUE,
        "responseMimeType": _STRING,
        "responseModalities": Repeated(_STRING),
        "tools": Repeated(_STRUCT),
        "cachedContent": _STRING,
        "safetySettings": Repeated(_STRUCT),
        "serviceTier": _STRING,
        "labels": MapOf(_STRING),
        "webhookConfig": _STRUCT,
        "agentConfig": _STRUCT,
        "environment": _VALUE,
    },
)
INTERACTION_CONTENT: Final = message(
    "InteractionContent",
    {
        "type": _STRING,
        "text": _STRING,
        "annotations": Repeated(_STRUCT),
        "data": Scalar.BYTES,
        "uri": _STRING,
        "mimeType": _STRING,
        "name": _STRING,
        "resolution": _STRING,
        "channels": _INT32,
        "sampleRate": _INT32,
        "processing": message(
            "MediaProcessing",
            {
                "type": _STRING,
                "startOffset": Scalar.DURATION,
                "endOffset": Scalar.DURATION,
                "fps": _FLOAT,
            },
        ),
    },
)
INTERACTION_STEP: Final = message(
    "InteractionStep",
    {
        "type": _STRING,
        "content": Repeated(_VALUE),
        "signature": _STRING,
        "summary": Repeated(_STRUCT),
        "id": _STRING,
        "name": _STRING,
        "arguments": _STRUCT,
        "callId": _STRING,
        "result": _VALUE,
        "isError": _BOOL,
    },
)
FUNCTION_TOOL: Final = message(
    "FunctionTool",
    {
        "type": _STRING,
        "name": _STRING,
        "description": _STRING,
        "shortDescription": _STRING,
        "parameters": _VALUE,
        "deferLoading": _BOOL,
    },
)
