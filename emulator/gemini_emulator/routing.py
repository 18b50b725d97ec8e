"""Which operation a call is: from its method, its path, and for uploads its query and headers.

    /{v}/models[/M[:method]]   /{v}/files[/ID[:download]]   /upload/{v}/files
    /download/{v}/files/ID:download
    /{v}/cachedContents[/ID]    /{v}/batches[/ID[:cancel]]   /{v}/interactions[/ID[/cancel]]

Paths are matched as they came, undecoded. It reads heads, never a body.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gemini_emulator.failures import ApiFailureError, invalid

MODEL_METHODS = frozenset(
    {
        "generateContent",
        "streamGenerateContent",
        "countTokens",
        "embedContent",
        "batchEmbedContents",
        "batchGenerateContent",
        "asyncBatchEmbedContent",
    }
)
STORED_OPERATIONS = frozenset(
    {
        "caches.create",
        "caches.get",
        "caches.list",
        "caches.patch",
        "caches.delete",
        "batches.get",
        "batches.list",
        "batches.cancel",
        "batches.delete",
        "interactions.create",
        "interactions.get",
        "interactions.cancel",
        "interactions.delete",
        "operations.get",
    }
)
OPENAI_OPERATIONS = frozenset({"openai.chat", "openai.embeddings", "openai.models.list", "openai.models.get"})
OPERATIONS = (
    MODEL_METHODS
    | STORED_OPERATIONS
    | OPENAI_OPERATIONS
    | {"live"}
    | {
        "models.list",
        "models.get",
        "tunedModels.list",
        "files.start",
        "files.upload",
        "files.finalize",
        "files.query",
        "files.cancel",
        "files.create",
        "files.get",
        "files.list",
        "files.delete",
        "files.download",
        "files.register",
    }
)
UNKNOWN = "unknown"
_VERSION = r"(?P<version>v1|v1beta|v1alpha)"
_PATHS = (
    (re.compile(rf"/{_VERSION}/models/(?P<name>[\w.-]+):(?P<verb>\w+)"), {"POST": "models.call"}),
    (re.compile(rf"/{_VERSION}/models/(?P<name>[\w.-]+)"), {"GET": "models.get"}),
    (re.compile(rf"/{_VERSION}/models"), {"GET": "models.list"}),
    (re.compile(rf"/{_VERSION}/tunedModels"), {"GET": "tunedModels.list"}),
    (re.compile(rf"/{_VERSION}/files"), {"GET": "files.list"}),
    (re.compile(rf"/{_VERSION}/files:register"), {"POST": "files.register"}),
    (re.compile(rf"/{_VERSION}/files/(?P<name>[^/:%]+)"), {"GET": "files.get", "DELETE": "files.delete"}),
    (re.compile(rf"(?:/download)?/{_VERSION}/files/(?P<name>[^/:%]+):download"), {"GET": "files.download"}),
    (re.compile(rf"/{_VERSION}/models/[\w.-]+/operations/(?P<name>[^/:]+)"), {"GET": "operations.get"}),
    (re.compile(rf"/{_VERSION}/operations/(?P<name>[^/:]+)"), {"GET": "operations.get"}),
    (re.compile(rf"/{_VERSION}/cachedContents"), {"GET": "caches.list", "POST": "caches.create"}),
    (
        re.compile(rf"/{_VERSION}/cachedContents/(?P<name>[^/:%]+)"),
        {"GET": "caches.get", "PATCH": "caches.patch", "DELETE": "caches.delete"},
    ),
    (re.compile(rf"/{_VERSION}/batches"), {"GET": "batches.list"}),
    (re.compile(rf"/{_VERSION}/batches/(?P<name>[^/:%]+)"), {"GET": "batches.get", "DELETE": "batches.delete"}),
    (re.compile(rf"/{_VERSION}/batches/(?P<name>[^/:%]+):cancel"), {"POST": "batches.cancel"}),
    (re.compile(rf"/{_VERSION}/openai/chat/completions"), {"POST": "openai.chat"}),
    (re.compile(rf"/{_VERSION}/openai/embeddings"), {"POST": "openai.embeddings"}),
    (re.compile(rf"/{_VERSION}/openai/models"), {"GET": "openai.models.list"}),
    (re.compile(rf"/{_VERSION}/openai/models/(?:models(?:/|%2[Ff]))?(?P<name>[\w.-]+)"), {"GET": "openai.models.get"}),
    (re.compile(rf"/{_VERSION}/interactions"), {"POST": "interactions.create"}),
    (
        re.compile(rf"/{_VERSION}/interactions/(?P<name>[^/:%]+)"),
        {"GET": "interactions.get", "DELETE": "interactions.delete"},
    ),
    (re.compile(rf"/{_VERSION}/interactions/(?P<name>[^/:%]+)/cancel"), {"POST": "interactions.cancel"}),
    (re.compile(rf"/upload/{_VERSION}/files"), {"POST": "upload", "PUT": "upload"}),
)
_UNFINISHED_RANGE = re.compile(r"bytes (\d+)-(\d+)/(?:\*|\d+)")


@dataclass(frozen=True, slots=True)
class Route:
    """An operation, the API version of the path, and the model's or file's name without its collection."""

    operation: str
    version: str
    name: str = ""


def route_of(method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Route:
    """Find the operation; raises ApiFailureError (404, 405, 400) when there is none."""
    for pattern, methods in _PATHS:
        match = pattern.fullmatch(path)
        if match is None:
            continue
        operation = methods.get(method)
        if operation is None and "models" in path.lower().partition("/openai/")[0]:
            raise ApiFailureError(404, f"The requested URL {path} was not found on this server.")
        if operation is None:
            raise ApiFailureError(405, f"Method {method} is not allowed for {path}.")
        found = match.groupdict()
        version, name = str(found["version"]), str(found.get("name", ""))
        if operation == "upload":
            return Route(_upload_operation(method, query, headers), version)
        if operation == "models.call":
            operation = _model_operation(str(found["verb"]), path)
        return Route(operation, version, name)
    raise ApiFailureError(404, f"The requested URL {path} was not found on this server.")


def _model_operation(verb: str, path: str) -> str:
    if verb not in MODEL_METHODS:
        raise ApiFailureError(404, f"The requested URL {path} was not found on this server.")
    return verb


def _upload_operation(method: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    if "upload_id" in query:
        return _ranged_operation(headers) if method == "PUT" else _commanded_operation(headers)
    if method != "POST":
        raise ApiFailureError(405, "An upload begins with POST.")
    if query.get("uploadType") == "resumable":
        return "files.start"
    if headers.get("x-goog-upload-protocol", "").lower() == "resumable":
        if commands_of(headers) != ["start"]:
            raise invalid("X-Goog-Upload-Command must be start, when there is no upload_id.")
        return "files.start"
    return "files.create"


def commands_of(headers: Mapping[str, str]) -> list[str]:
    """Read X-Goog-Upload-Command, a list of words."""
    return [word.strip().lower() for word in headers.get("x-goog-upload-command", "").split(",")]


def _commanded_operation(headers: Mapping[str, str]) -> str:
    match commands_of(headers):
        case ["upload"]:
            return "files.upload"
        case ["upload", "finalize"] | ["finalize"]:
            return "files.finalize"
        case ["query"]:
            return "files.query"
        case ["cancel"]:
            return "files.cancel"
        case words:
            raise invalid(f"X-Goog-Upload-Command is not known: {', '.join(words)!r}.")


def _ranged_operation(headers: Mapping[str, str]) -> str:
    written = headers.get("content-range", "")
    if written.startswith("bytes */"):
        return "files.query"
    match = _UNFINISHED_RANGE.fullmatch(written)
    total = written.rpartition("/")[2]
    is_last = match is None or (total.isdecimal() and int(match[2]) + 1 == int(total))
    return "files.finalize" if is_last else "files.upload"
