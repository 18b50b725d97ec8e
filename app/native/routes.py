"""Finds the Google operation of a request from its method and raw path, by a strict grammar.

    /{version}/models[/M[:verb]]   /{version}/cachedContents[/ID]   /{version}/batches[/ID[:cancel]]   ...

Paths are matched undecoded. No dot segment, empty segment or percent sign matches, except in `models%2FM` of OpenAI.
Gemini's URL is rebuilt from the matched pieces, so no request can mean another path there. A path outside the table
does not exist. This module reads no body and no header.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from starlette.types import Scope as AsgiScope

from app.clients.identity import Scope
from app.errors import ForbiddenError, GatewayError, MethodNotAllowedError, NotFoundError
from app.request.operation import UNKNOWN, Access, Operation, Target


class NativeResource(StrEnum):
    """A group of operations that the operator can close by its name in NATIVE_RESOURCES."""

    MODELS = "models"
    FILES = "files"
    CACHES = "cachedContents"
    BATCHES = "batches"
    INTERACTIONS = "interactions"
    LIVE = "live"
    OPENAI = "openai"

    # The hash of `str`: an Enum computes its hash in Python, and every call looks its resource up in a set.
    __hash__ = str.__hash__


@dataclass(frozen=True, slots=True)
class NativeOperation(Operation):
    """One operation of a resource, which the operator can close."""

    resource: NativeResource

    @property
    def verb(self) -> str:
        """The operation's name without its surface."""
        return self.operation_id.partition(".")[2]


@dataclass(frozen=True, slots=True)
class Route:
    """A matched request: the operation, the API version, and the name in the path ("" if the path has no name)."""

    operation: NativeOperation
    version: str
    name: str = ""


_VERSION = r"(?P<version>v1|v1beta|v1alpha)"
_NAME_OF_ANY = r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,254}"
_NAME = rf"(?P<name>{_NAME_OF_ANY})"
MODEL_NAME = re.compile(rf"(?:models/)?{_NAME_OF_ANY}", re.ASCII)
"""The name of a model, in paths and in JSON alike."""
_Methods = Mapping[str, NativeOperation]


_RELAYED = Access(Scope.NATIVE)
_ASKING = Access(Scope.NATIVE, asks_model=True)


def _operation(verb: str, path: str, resource: NativeResource, access: Access = _RELAYED) -> NativeOperation:
    return NativeOperation(f"native.{verb}", path, access, resource)


def _collection(name: str, resource: NativeResource, *verbs: tuple[str, str], asking: str = "") -> _Methods:
    path = f"/{{version}}/{name}"
    return _methods(name, path, resource, verbs, asking)


def _item(name: str, resource: NativeResource, *verbs: tuple[str, str], suffix: str = "") -> _Methods:
    path = f"/{{version}}/{name}/{{name}}{suffix}"
    return _methods(name, path, resource, verbs)


def _methods(
    name: str, path: str, resource: NativeResource, verbs: tuple[tuple[str, str], ...], asking: str = ""
) -> _Methods:
    """Return operations by method, from pairs of a method and a verb; the verb `asking` runs a model."""
    return {
        method: _operation(f"{name}.{verb}", path, resource, _ASKING if verb == asking else _RELAYED)
        for method, verb in verbs
    }


GENERATING = ("generateContent", "streamGenerateContent")
COUNTING = ("countTokens",)
EMBEDDING = ("embedContent", "batchEmbedContents")
BATCHING = ("batchGenerateContent", "asyncBatchEmbedContent")
_VERBS: Mapping[str, NativeOperation] = {
    verb: _operation(
        verb,
        f"/{{version}}/models/{{name}}:{verb}",
        NativeResource.BATCHES if verb in BATCHING else NativeResource.MODELS,
        _ASKING,
    )
    for verb in (*GENERATING, *COUNTING, *EMBEDDING, *BATCHING)
}
_LIVE = r"/+ws/google\.ai\.generativelanguage\.(?P<version>v1|v1beta|v1alpha)\.GenerativeService\.BidiGenerateContent"
UPLOAD = _operation("upload", "/upload/{version}/files", NativeResource.FILES, Access(Scope.NATIVE, has_address=True))
LIVE = _operation("live", "/ws/BidiGenerateContent", NativeResource.LIVE, _ASKING)
_OPENAI = "/{version}/openai"
# Some tools insist on a base URL that ends in /v1.
_OPENAI_BASE = rf"(?:/{_VERSION}/openai|/openai/v1)"
_OPENAI_VERSION = "v1beta"


def _openai(path: str, verb: str, access: Access = _RELAYED) -> NativeOperation:
    return NativeOperation(f"openai.{verb}", f"{_OPENAI}/{path}", access, NativeResource.OPENAI)


_TABLE: tuple[tuple[re.Pattern[str], _Methods], ...] = tuple(
    (re.compile(pattern, re.ASCII), methods)
    for pattern, methods in (
        (rf"/{_VERSION}/models", _collection("models", NativeResource.MODELS, ("GET", "list"))),
        (rf"/{_VERSION}/models/{_NAME}", _item("models", NativeResource.MODELS, ("GET", "get"))),
        (rf"/upload/{_VERSION}/files", {"POST": UPLOAD, "PUT": UPLOAD}),
        (rf"/{_VERSION}/files", _collection("files", NativeResource.FILES, ("GET", "list"))),
        (rf"/{_VERSION}/files/{_NAME}", _item("files", NativeResource.FILES, ("GET", "get"), ("DELETE", "delete"))),
        (
            rf"(?:/download)?/{_VERSION}/files/{_NAME}:download",
            _item("files", NativeResource.FILES, ("GET", "download"), suffix=":download"),
        ),
        (
            rf"/{_VERSION}/cachedContents",
            _collection("cachedContents", NativeResource.CACHES, ("POST", "create"), ("GET", "list"), asking="create"),
        ),
        (
            rf"/{_VERSION}/cachedContents/{_NAME}",
            _item("cachedContents", NativeResource.CACHES, ("GET", "get"), ("PATCH", "patch"), ("DELETE", "delete")),
        ),
        (rf"/{_VERSION}/batches", _collection("batches", NativeResource.BATCHES, ("GET", "list"))),
        (
            rf"/{_VERSION}/batches/{_NAME}",
            _item("batches", NativeResource.BATCHES, ("GET", "get"), ("DELETE", "delete")),
        ),
        (
            rf"/{_VERSION}/batches/{_NAME}:cancel",
            _item("batches", NativeResource.BATCHES, ("POST", "cancel"), suffix=":cancel"),
        ),
        (
            rf"/{_VERSION}/interactions",
            _collection("interactions", NativeResource.INTERACTIONS, ("POST", "create"), asking="create"),
        ),
        (
            rf"/{_VERSION}/interactions/{_NAME}",
            _item("interactions", NativeResource.INTERACTIONS, ("GET", "get"), ("DELETE", "delete")),
        ),
        (
            rf"/{_VERSION}/interactions/{_NAME}/cancel",
            _item("interactions", NativeResource.INTERACTIONS, ("POST", "cancel"), suffix="/cancel"),
        ),
        (
            rf"{_OPENAI_BASE}/chat/completions",
            {"POST": _openai("chat/completions", "chat.completions", _ASKING)},
        ),
        (rf"{_OPENAI_BASE}/embeddings", {"POST": _openai("embeddings", "embeddings", _ASKING)}),
        (rf"{_OPENAI_BASE}/models", {"GET": _openai("models", "models.list")}),
        (rf"{_OPENAI_BASE}/models/(?:models(?:/|%2[Ff]))?{_NAME}", {"GET": _openai("models/{name}", "models.get")}),
        (_LIVE, {"WEBSOCKET": LIVE}),
    )
)
_MODEL_CALL = re.compile(rf"/{_VERSION}/models/{_NAME}:(?P<verb>[A-Za-z]+)", re.ASCII)


def operations() -> tuple[NativeOperation, ...]:
    """Return every operation of the table."""
    found = [operation for _, methods in _TABLE for operation in methods.values()]
    return (*found, *_VERBS.values())


def route_of(method: str, raw_path: str, open_resources: Collection[str]) -> Route:
    """Find the operation of a request; `method` is WEBSOCKET for a handshake.

    Raises NotFoundError, MethodNotAllowedError, and ForbiddenError for a resource that the operator has closed.
    """
    # Only short paths are cached, so that clients cannot fill memory with long ones.
    found = _remembered(method, raw_path) if len(raw_path) <= _LONGEST_REMEMBERED else _find(method, raw_path)
    if found.operation.resource not in open_resources:
        raise ForbiddenError(f"This gateway's operator has closed {found.operation.resource} (NATIVE_RESOURCES).")
    return found


_LONGEST_REMEMBERED = 200


def target_of(scope: AsgiScope, open_resources: Collection[str]) -> Target:
    """Return the target of a request: an open operation of this table, or UNKNOWN."""
    method, raw_path = method_and_path(scope)
    try:
        operation = route_of(method, raw_path, open_resources).operation
    except GatewayError:
        return UNKNOWN
    return Target(operation, operation.access, is_rest=False)


def method_and_path(scope: AsgiScope) -> tuple[str, str]:
    """Return a request's method, WEBSOCKET for a handshake, and its path as the client sent it, undecoded."""
    method = "WEBSOCKET" if scope["type"] == "websocket" else scope["method"]
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    return method, path.decode("latin-1")


def _find(method: str, raw_path: str) -> Route:
    called = _MODEL_CALL.fullmatch(raw_path)
    operation = None if called is None else _VERBS.get(called["verb"])
    match = called
    methods: _Methods = {} if operation is None else {"POST": operation}
    if operation is None:
        match, methods = _match(raw_path)
    if match is None or not methods:
        raise NotFoundError("This path has no such method or resource.")
    found = methods.get(method)
    if found is None:
        allow = ", ".join(sorted(methods))
        raise MethodNotAllowedError(f"{method} is not allowed here.", headers={"Allow": allow})
    groups = match.groupdict()
    return Route(found, groups["version"] or _OPENAI_VERSION, groups.get("name") or "")


_remembered = lru_cache(maxsize=1_024)(_find)


def _match(raw_path: str) -> tuple[re.Match[str] | None, _Methods]:
    for pattern, methods in _TABLE:
        match = pattern.fullmatch(raw_path)
        if match is not None:
            return match, methods
    return None, {}
