"""generateContent and its relatives, caches, batches and Live: proto3 JSON, in camelCase or snake_case."""

from typing import Final

from app.native.scanning.roles import DATA, MODEL, OTHER_MODEL, PAID, TEXT, TREE, Place, Table, fact
from app.native.scanning.tables.everywhere import ANYWHERE

_FUNCTION_RESPONSE: Final[Table] = {
    "id": TEXT,
    "response": TREE,
    "parts": {"spreadsheetMetadata": {"visibleCells": TEXT}},
}
_PART: Final[Table] = {
    "functionCall": {"id": TEXT, "args": TREE, "partialArgs": {"jsonPath": TEXT, "stringValue": TEXT}},
    "functionResponse": _FUNCTION_RESPONSE,
    "executableCode": {"id": TEXT, "code": TEXT},
    "codeExecutionResult": {"id": TEXT, "output": TEXT},
    "toolCall": {"id": TEXT, "args": TREE},
    "toolResponse": {"id": TEXT, "response": TREE},
    "audioTranscription": {"speakerLabel": TEXT, "words": {"word": TEXT}},
    "speechMetadata": {"speaker": TEXT, "style": TEXT},
    "spreadsheetMetadata": {"visibleCells": TEXT},
    "partMetadata": TREE,
}
_CONTENT: Final[Table] = {"parts": _PART}
_TRANSCRIPTION: Final[Table] = {"adaptationPhrases": TEXT, "customVocabulary": TEXT, "sourceText": TEXT}
_VOICE: Final[Table] = {"replicatedVoiceConfig": {"voiceSampleAudio": DATA, "consentAudio": DATA}}
_GENERATION_CONFIG: Final[Table] = {
    "maxOutputTokens": fact("max_output_tokens"),
    "candidateCount": fact("candidates"),
    "stopSequences": TEXT,
    "responseSchema": TREE,
    "responseJsonSchema": TREE,
    "responseFormat": {"text": (TEXT, {"schema": TREE})},
    "audioTranscriptionConfig": _TRANSCRIPTION,
    "speechConfig": {
        "voiceConfig": _VOICE,
        "multiSpeakerVoiceConfig": {"speakerVoiceConfigs": {"speaker": TEXT, "voiceConfig": _VOICE}},
    },
}
_TOOLS: Final[Table] = {
    "functionDeclarations": {
        "parameters": TREE,
        "parametersJsonSchema": TREE,
        "response": TREE,
        "responseJsonSchema": TREE,
    },
    "googleSearch": (PAID, {"excludeDomains": TEXT}),
    "googleSearchRetrieval": PAID,
    "enterpriseWebSearch": (PAID, {"excludeDomains": TEXT}),
    "googleMaps": PAID,
    "urlContext": PAID,
    "retrieval": PAID,
    "computerUse": {"excludedPredefinedFunctions": TEXT},
    "exaAiSearch": (PAID, {"apiKey": TEXT, "customConfigs": TREE}),
    "parallelAiSearch": (PAID, {"apiKey": TEXT, "customConfigs": TREE}),
}
_PROMPT: Final[Table] = {"contents": _CONTENT, "systemInstruction": (TEXT, _CONTENT), "tools": _TOOLS, "labels": TREE}
_GENERATE: Final[Table] = {
    **_PROMPT,
    "model": OTHER_MODEL,
    "serviceTier": fact("service_tier"),
    "generationConfig": _GENERATION_CONFIG,
    "continuationToken": TEXT,
}
_EMBED: Final[Table] = {"model": OTHER_MODEL, "content": _CONTENT}
_BATCHED: Final[Table] = {"request": {**_GENERATE, **_EMBED}, "metadata": TREE}
_SETUP: Final[Table] = {
    **_GENERATE,
    "model": MODEL,
    "inputAudioTranscription": _TRANSCRIPTION,
    "outputAudioTranscription": _TRANSCRIPTION,
    "avatarConfig": {"customizedAvatar": {"imageData": DATA}},
}


def _place(table: Table) -> Place:
    return Place(table, outer=ANYWHERE)


GENERATE: Final = _place(_GENERATE)
COUNT_TOKENS: Final = _place({**_PROMPT, "model": OTHER_MODEL, "generateContentRequest": _GENERATE})
EMBED: Final = _place(_EMBED)
BATCH_EMBED: Final = _place({"model": OTHER_MODEL, "requests": _EMBED})
CACHE: Final = _place({**_PROMPT, "model": MODEL})
BATCH: Final = _place(
    {
        "model": OTHER_MODEL,
        "batch": {"model": OTHER_MODEL, "inputConfig": {"requests": {"requests": _BATCHED}}},
    }
)
BATCH_LINE: Final = _place({"key": TEXT, **_BATCHED})
LIVE: Final = _place(
    {
        "setup": _SETUP,
        "clientContent": {"turns": _CONTENT},
        "toolResponse": {"functionResponses": _FUNCTION_RESPONSE},
        "contextUpdate": {"systemInstruction": (TEXT, _CONTENT)},
    }
)
