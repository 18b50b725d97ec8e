"""The paths that take the requests of the SDKs' types, by the scanner's policy."""

from collections.abc import Mapping

from app.native.scanning.policy import (
    BATCH,
    BATCH_EMBED,
    CACHE,
    GENERATE,
    INTERACTIONS,
    OPENAI_CHAT,
    OPENAI_EMBEDDINGS,
    Policy,
)
from tests.official_types import STRING_FIELDS, StringField, role_of

MODEL = "gemini-3.8-flash"
PATHS: Mapping[int, str] = {
    id(GENERATE): f"/v1beta/models/{MODEL}:generateContent",
    id(CACHE): "/v1beta/cachedContents",
    id(BATCH_EMBED): "/v1beta/models/gemini-embedding-2:batchEmbedContents",
    id(BATCH): f"/v1beta/models/{MODEL}:batchGenerateContent",
    id(INTERACTIONS): "/v1beta/interactions",
    id(OPENAI_CHAT): "/v1beta/openai/chat/completions",
    id(OPENAI_EMBEDDINGS): "/v1beta/openai/embeddings",
}


def path_of(policy: Policy) -> str | None:
    """Return the path of a policy's requests; None for Live, which has no requests of HTTP."""
    return PATHS.get(id(policy))


def fields_of(role: str) -> list[StringField]:
    """Return the string fields of a role that requests of HTTP have."""
    return [field for field in STRING_FIELDS if path_of(field.policy) is not None and role_of(field) == role]
