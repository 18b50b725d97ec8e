"""The fields with the same meaning in every object: references above all, so that no object is forgotten."""

from typing import Final

from app.native.scanning.references import ObjectKind
from app.native.scanning.roles import (
    CLOSED,
    DATA,
    LINES,
    MEDIA,
    MIME_TYPE,
    OTHER,
    TEXT,
    TREE,
    TYPE,
    Field,
    Place,
    Role,
    Table,
    reference,
)

_MCP_SERVERS: Final = Field(
    Role.MCP_SERVERS,
    below=Place({"url": OTHER, "headers": TREE, "streamableHttpTransport": {"url": OTHER, "headers": TREE}}),
)
"""The address of an MCP server is no media: ALLOW_MCP_SERVERS allows it, and ALLOW_HTTPS_URLS does not apply."""
_FILE: Final = reference(ObjectKind.FILE)
_STORE: Final = reference(ObjectKind.STORE)
_OPERATION: Final = reference(ObjectKind.OPERATION)
_INTERACTION: Final = reference(ObjectKind.INTERACTION)

EVERYWHERE: Final[Table] = {
    # Media that Gemini reads from a stored file or fetches.
    "fileUri": MEDIA,
    "fileUris": MEDIA,
    "uri": MEDIA,
    "uris": MEDIA,
    "url": MEDIA,
    "urls": MEDIA,
    "imageUrl": MEDIA,
    "audioUrl": MEDIA,
    "videoUrl": MEDIA,
    "fileUrl": MEDIA,
    "gcsUri": MEDIA,
    # Stored objects.
    "fileId": _FILE,
    "fileIds": _FILE,
    "fileName": LINES,
    "responsesFile": _FILE,
    "cachedContent": reference(ObjectKind.CACHE),
    "fileSearchStoreName": _STORE,
    "fileSearchStoreNames": _STORE,
    "interactionId": _INTERACTION,
    "previousInteractionId": _INTERACTION,
    "operationId": _OPERATION,
    "operationName": _OPERATION,
    "environmentId": reference(ObjectKind.ENVIRONMENT),
    "handle": reference(ObjectKind.LIVE_SESSION),
    # Inline media.
    "data": DATA,
    "mimeType": MIME_TYPE,
    "type": TYPE,
    # Text.
    "text": TEXT,
    "title": TEXT,
    "displayName": TEXT,
    "description": TEXT,
    "metadataFilter": TEXT,
    "signature": TEXT,
    "thoughtSignature": TEXT,
    # Ways past the gateway.
    "mcpServer": _MCP_SERVERS,
    "mcpServers": _MCP_SERVERS,
    "webhook": CLOSED,
    "webhooks": CLOSED,
    "webhookConfig": CLOSED,
    "credential": CLOSED,
    "credentials": CLOSED,
}
ANYWHERE: Final = Place(EVERYWHERE)
"""The place of objects outside all tables."""
