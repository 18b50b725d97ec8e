"""The tables against the SDKs' types: each string field of a request is free text, a reference, or a listed word."""

import pytest

from tests.official_types import STRING_FIELDS, role_of

REFERENCES = {
    "cached_content",
    "fileSearchStoreNames",
    "fileUri",
    "file_id",
    "file_search_store_names",
    "gcsUri",
    "gcs_uri",
    "handle",
    "previous_interaction_id",
    "uri",
    "url",
}
WORDS = {
    # Names of functions, tools, voices, places and people's roles.
    "allowedFunctionNames",
    "name",
    "role",
    "tools",
    "voice",
    "voiceName",
    # Types, languages, times and sizes.
    "diarization_mode",
    "duration",
    "endOffset",
    "end_offset",
    "language",
    "languageCode",
    "languageCodes",
    "language_codes",
    "language_hints",
    "mimeType",
    "resolution",
    "responseMimeType",
    "response_mime_type",
    "startOffset",
    "start_offset",
    "targetLanguageCode",
    "timestamp_granularities",
    # Google Cloud's own, which the Gemini API refuses.
    "accessToken",
    "apiKey",
    "apiKeySecret",
    "apiKeySecretVersion",
    "apiKeyString",
    "credentialSecret",
    "dataStore",
    "datastore",
    "datastores",
    "endpoint",
    "engine",
    "filter",
    "idToken",
    "index",
    "modelName",
    "model_name",
    "ragCorpora",
    "ragCorpus",
    "ragFileIds",
    "rag_corpus",
    "rag_file_ids",
    "searchTemplate",
    "serviceAccount",
    # OpenAI's, which Google does not know.
    "id",
    "model",
    # The SDK's stand-in for a variant that it does not know.
    "raw",
}
MCP_SERVER_URL = ("tools", "[]", "url")
CLOSED_BELOW = {"environment", "webhook_config", "mcpServers", "session_id"}


def test_the_types_are_walked() -> None:
    paths = {".".join(field.path) for field in STRING_FIELDS}

    assert len(STRING_FIELDS) > 1_000
    assert "contents.[].parts.[].functionResponse.response.{}" in paths
    assert "input.[].result.[].uri" in paths
    assert "messages.[].tool_calls.[].function.arguments" in paths


@pytest.mark.parametrize("role", ["reference", "word", "closed", "model"])
def test_every_string_field_is_free_text_unless_it_is_listed(role: str) -> None:
    fields = [field for field in STRING_FIELDS if role_of(field) == role]

    match role:
        case "reference":
            assert {field.name for field in fields} == REFERENCES
        case "word":
            assert {field.name for field in fields if field.path != MCP_SERVER_URL} <= WORDS
        case "closed":
            assert all(CLOSED_BELOW & set(field.path) for field in fields)
        case _:
            assert {field.path for field in fields} == {("model",), ("agent_config", "model")}
