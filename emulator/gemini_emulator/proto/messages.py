"""The messages of the Gemini API that the emulator reads (generateContent reference, section 3)."""

from typing import Final

from gemini_emulator.proto.kinds import Enumeration, Kind, MapOf, Message, Repeated, Scalar, message

_STRING, _BOOL, _INT32, _INT64 = Scalar.STRING, Scalar.BOOL, Scalar.INT32, Scalar.INT64
_FLOAT, _BYTES, _DURATION, _STRUCT, _VALUE = (
    Scalar.FLOAT,
    Scalar.BYTES,
    Scalar.DURATION,
    Scalar.STRUCT,
    Scalar.VALUE,
)


def _names(name: str, values: str, *, prefix: str = "") -> Enumeration:
    return Enumeration(name, tuple(prefix + value for value in values.split()))


_MEDIA_RESOLUTION = _names(
    "GenerationConfig.MediaResolution", "UNSPECIFIED LOW MEDIUM HIGH", prefix="MEDIA_RESOLUTION_"
)
_PART_RESOLUTION = _names(
    "Part.MediaResolution.Level", "UNSPECIFIED LOW MEDIUM HIGH ULTRA_HIGH", prefix="MEDIA_RESOLUTION_"
)
_THINKING_LEVEL = _names("ThinkingConfig.ThinkingLevel", "THINKING_LEVEL_UNSPECIFIED MINIMAL LOW MEDIUM HIGH XHIGH")
_TYPE = _names("Type", "TYPE_UNSPECIFIED STRING NUMBER INTEGER BOOLEAN ARRAY OBJECT NULL")
_MODALITY = _names("GenerationConfig.Modality", "MODALITY_UNSPECIFIED TEXT IMAGE AUDIO VIDEO DOCUMENT")
_HARM_CATEGORY = _names(
    "HarmCategory",
    "UNSPECIFIED DEROGATORY TOXICITY VIOLENCE SEXUAL MEDICAL DANGEROUS HARASSMENT HATE_SPEECH SEXUALLY_EXPLICIT "
    "DANGEROUS_CONTENT CIVIC_INTEGRITY IMAGE_HATE IMAGE_DANGEROUS_CONTENT IMAGE_HARASSMENT IMAGE_SEXUALLY_EXPLICIT "
    "JAILBREAK",
    prefix="HARM_CATEGORY_",
)
_THRESHOLD = _names(
    "SafetySetting.HarmBlockThreshold",
    "HARM_BLOCK_THRESHOLD_UNSPECIFIED BLOCK_LOW_AND_ABOVE BLOCK_MEDIUM_AND_ABOVE BLOCK_ONLY_HIGH BLOCK_NONE OFF",
)

_MEDIA_PROCESSING = _names("Part.MediaProcessing", "MEDIA_PROCESSING_UNSPECIFIED STATIC AGENTIC")
_CALLING_MODE = _names("FunctionCallingConfig.Mode", "MODE_UNSPECIFIED AUTO ANY NONE VALIDATED")

_SCHEMA: Final = Message("Schema")
_SCHEMA.extend(
    {
        "type": _TYPE,
        "format": _STRING,
        "title": _STRING,
        "description": _STRING,
        "nullable": _BOOL,
        "enum": Repeated(_STRING),
        "items": _SCHEMA,
        "maxItems": _INT64,
        "minItems": _INT64,
        "properties": MapOf(_SCHEMA),
        "required": Repeated(_STRING),
        "minProperties": _INT64,
        "maxProperties": _INT64,
        "minimum": _FLOAT,
        "maximum": _FLOAT,
        "minLength": _INT64,
        "maxLength": _INT64,
        "pattern": _STRING,
        "example": _VALUE,
        "anyOf": Repeated(_SCHEMA),
        "propertyOrdering": Repeated(_STRING),
        "default": _VALUE,
        "additionalProperties": _VALUE,
    }
)

_BLOB = message("Blob", {"mimeType": _STRING, "data": _BYTES, "displayName": _STRING})
_FILE_DATA = message("FileData", {"mimeType": _STRING, "fileUri": _STRING, "displayName": _STRING})
_FUNCTION_CALL = message(
    "FunctionCall",
    {
        "id": _STRING,
        "name": _STRING,
        "args": _STRUCT,
        "partialArgs": Repeated(_STRUCT),
        "willContinue": _BOOL,
    },
)
_FUNCTION_RESPONSE = message(
    "FunctionResponse",
    {
        "id": _STRING,
        "name": _STRING,
        "response": _STRUCT,
        "parts": Repeated(message("FunctionResponsePart", {"inlineData": _BLOB, "fileData": _FILE_DATA})),
        "willContinue": _BOOL,
        "scheduling": _STRING,
    },
)
_VIDEO_METADATA = message(
    "VideoMetadata",
    {"startOffset": _DURATION, "endOffset": _DURATION, "fps": _FLOAT, "contentLayers": Repeated(_VALUE)},
)
_PART_DATA: dict[str, Kind] = {
    "text": _STRING,
    "inlineData": _BLOB,
    "fileData": _FILE_DATA,
    "functionCall": _FUNCTION_CALL,
    "functionResponse": _FUNCTION_RESPONSE,
    "executableCode": _STRUCT,
    "codeExecutionResult": _STRUCT,
    "toolCall": _STRUCT,
    "toolResponse": _STRUCT,
    "audioTranscription": _STRUCT,
}
_PART = message(
    "Part",
    {
        **_PART_DATA,
        "thought": _BOOL,
        "thoughtSignature": _BYTES,
        "videoMetadata": _VIDEO_METADATA,
        "mediaResolution": message("Part.MediaResolution", {"level": _PART_RESOLUTION, "numTokens": _INT32}),
        "partMetadata": _STRUCT,
        "mediaProcessing": _MEDIA_PROCESSING,
        "speechMetadata": _STRUCT,
        "documentMetadata": _STRUCT,
        "spreadsheetMetadata": _STRUCT,
        "audioMetadata": _STRUCT,
    },
    one_of=frozenset(_PART_DATA),
)
_CONTENT = message("Content", {"role": _STRING, "parts": Repeated(_PART)})

_THINKING_CONFIG = message(
    "ThinkingConfig", {"includeThoughts": _BOOL, "thinkingBudget": _INT32, "thinkingLevel": _THINKING_LEVEL}
)
_TRANSCRIPTION_CONFIG = message(
    "AudioTranscriptionConfig",
    {
        "languageCodes": Repeated(_STRING),
        "customVocabulary": Repeated(_STRING),
        "wordTimestamp": _BOOL,
        "diarization": _BOOL,
        "mode": _names("AudioTranscriptionConfig.Mode", "MODE_UNSPECIFIED VERBATIM SMART"),
        "sourceText": _STRING,
        "adaptationPhrases": Repeated(_STRING),
        "languageHints": _STRUCT,
        "languageAuto": _STRUCT,
    },
)
_GENERATION_CONFIG = message(
    "GenerationConfig",
    {
        "temperature": _FLOAT,
        "topP": _FLOAT,
        "topK": _FLOAT,
        "candidateCount": _INT32,
        "maxOutputTokens": _INT32,
        "stopSequences": Repeated(_STRING),
        "seed": _INT32,
        "presencePenalty": _FLOAT,
        "frequencyPenalty": _FLOAT,
        "responseMimeType": _STRING,
        "responseSchema": _SCHEMA,
        "responseJsonSchema": _VALUE,
        "responseModalities": Repeated(_MODALITY),
        "mediaResolution": _MEDIA_RESOLUTION,
        "thinkingConfig": _THINKING_CONFIG,
        "speechConfig": _STRUCT,
        "imageConfig": _STRUCT,
        "audioTranscriptionConfig": _TRANSCRIPTION_CONFIG,
        "modelSelectionConfig": _STRUCT,
        "translationConfig": _STRUCT,
        "responseFormat": Repeated(_STRUCT),
        "responseLogprobs": _BOOL,
        "logprobs": _INT32,
        "enableEnhancedCivicAnswers": _BOOL,
        "enableAffectiveDialog": _BOOL,
    },
)
_FUNCTION_DECLARATION = message(
    "FunctionDeclaration",
    {
        "name": _STRING,
        "description": _STRING,
        "behavior": _STRING,
        "parameters": _SCHEMA,
        "parametersJsonSchema": _VALUE,
        "response": _SCHEMA,
        "responseJsonSchema": _VALUE,
    },
)
_TOOL = message(
    "Tool",
    {
        "functionDeclarations": Repeated(_FUNCTION_DECLARATION),
        "googleSearch": _STRUCT,
        "googleSearchRetrieval": _STRUCT,
        "codeExecution": _STRUCT,
        "urlContext": _STRUCT,
        "fileSearch": _STRUCT,
        "computerUse": _STRUCT,
        "googleMaps": _STRUCT,
        "mcpServers": Repeated(_STRUCT),
        "retrieval": _STRUCT,
        "toolSearch": _STRUCT,
    },
)
_TOOL_CONFIG = message(
    "ToolConfig",
    {
        "functionCallingConfig": message(
            "FunctionCallingConfig",
            {
                "mode": _CALLING_MODE,
                "allowedFunctionNames": Repeated(_STRING),
                "streamFunctionCallArguments": _BOOL,
            },
        ),
        "retrievalConfig": _STRUCT,
        "includeServerSideToolInvocations": _BOOL,
    },
)

GENERATE_CONTENT: Final = message(
    "GenerateContentRequest",
    {
        "model": _STRING,
        "contents": Repeated(_CONTENT),
        "systemInstruction": _CONTENT,
        "generationConfig": _GENERATION_CONFIG,
        "safetySettings": Repeated(
            message("SafetySetting", {"category": _HARM_CATEGORY, "threshold": _THRESHOLD, "method": _STRING})
        ),
        "tools": Repeated(_TOOL),
        "toolConfig": _TOOL_CONFIG,
        "cachedContent": _STRING,
        "labels": MapOf(_STRING),
        "store": _BOOL,
        "serviceTier": _STRING,
        "continuationToken": _BYTES,
    },
)
COUNT_TOKENS: Final = message(
    "CountTokensRequest",
    {"model": _STRING, "contents": Repeated(_CONTENT), "generateContentRequest": GENERATE_CONTENT},
)
EMBED_CONTENT: Final = message(
    "EmbedContentRequest",
    {
        "model": _STRING,
        "content": _CONTENT,
        "taskType": _STRING,
        "title": _STRING,
        "outputDimensionality": _INT32,
        "autoTruncate": _BOOL,
        "embedContentConfig": _STRUCT,
    },
)
BATCH_EMBED_CONTENTS: Final = message(
    "BatchEmbedContentsRequest", {"model": _STRING, "requests": Repeated(EMBED_CONTENT)}
)
CREATE_FILE: Final = message(
    "CreateFileRequest",
    {
        "file": message(
            "File",
            {
                "name": _STRING,
                "displayName": _STRING,
                "mimeType": _STRING,
                "sizeBytes": _INT64,
                "createTime": _STRING,
                "updateTime": _STRING,
                "expirationTime": _STRING,
                "sha256Hash": _STRING,
                "uri": _STRING,
                "downloadUri": _STRING,
                "state": _STRING,
                "source": _STRING,
                "videoMetadata": _STRUCT,
                "error": _STRUCT,
            },
        )
    },
)
