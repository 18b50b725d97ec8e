"""Which operation a path is: by a strict grammar, in which nothing can come to mean another path."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ForbiddenError, GatewayError, MethodNotAllowedError, NotFoundError
from app.native.handlers import HANDLERS
from app.native.routes import LIVE, NativeResource, operations, route_of

OPEN = frozenset(NativeResource)


def test_every_operation_is_served() -> None:
    assert {operation.operation_id for operation in operations()} == HANDLERS.keys()


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
@pytest.mark.parametrize(
    ("method", "path", "operation", "name"),
    [
        ("GET", "models", "native.models.list", ""),
        ("GET", "models/gemini-3.8-flash", "native.models.get", "gemini-3.8-flash"),
        ("POST", "models/gemini-2.0-flash:generateContent", "native.generateContent", "gemini-2.0-flash"),
        ("POST", "models/m:batchGenerateContent", "native.batchGenerateContent", "m"),
        ("GET", "files/abc", "native.files.get", "abc"),
        ("GET", "files/abc:download", "native.files.download", "abc"),
        ("PATCH", "cachedContents/c", "native.cachedContents.patch", "c"),
        ("POST", "batches/b:cancel", "native.batches.cancel", "b"),
        ("POST", "interactions/i/cancel", "native.interactions.cancel", "i"),
        ("POST", "openai/chat/completions", "openai.chat.completions", ""),
        ("GET", "openai/models/models/m", "openai.models.get", "m"),
        ("GET", "openai/models/models%2Fm", "openai.models.get", "m"),
        ("GET", "openai/models/models%2fm", "openai.models.get", "m"),
    ],
)
def test_paths_are_operations(version: str, method: str, path: str, operation: str, name: str) -> None:
    route = route_of(method, f"/{version}/{path}", OPEN)

    assert (route.operation.operation_id, route.version, route.name) == (operation, version, name)


@pytest.mark.parametrize(
    ("method", "path", "operation", "name"),
    [
        ("POST", "chat/completions", "openai.chat.completions", ""),
        ("POST", "embeddings", "openai.embeddings", ""),
        ("GET", "models", "openai.models.list", ""),
        ("GET", "models/models%2Fm", "openai.models.get", "m"),
    ],
)
def test_openais_paths_also_begin_with_openai_v1(method: str, path: str, operation: str, name: str) -> None:
    route = route_of(method, f"/openai/v1/{path}", OPEN)

    assert (route.operation.operation_id, route.version, route.name) == (operation, "v1beta", name)


def test_downloads_stand_beside_the_versions() -> None:
    route = route_of("GET", "/download/v1beta/files/abc:download", OPEN)

    assert (route.operation.operation_id, route.version, route.name) == ("native.files.download", "v1beta", "abc")


def test_uploads_and_live_stand_beside_the_versions() -> None:
    live = "ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"

    assert route_of("POST", "/upload/v1/files", OPEN).operation.operation_id == "native.upload"
    assert {route_of("WEBSOCKET", f"{slash}{live}", OPEN).operation for slash in ("/", "//")} == {LIVE}


@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/models/%2e%2e/files",
        "/v1beta/models/../files",
        "/v1beta/models/..:generateContent",
        "/v1beta/./models",
        "/v1beta//models",
        "//v1beta/models",
        "/v1beta/models/",
        "/v1beta/models/a/b",
        "/v1beta/models/a%2Fb",
        "/v1beta/openai/models/models%252Fm",
        "/v1beta/openai/models/models%2Fa%2Fb",
        "/v1beta/openai/models/models%2F..",
        "/openai/v1beta/models",
        "/download/v1beta/files/abc",
        "/v1beta/models/a:generateContent:x",
        "/v1beta/models/a:GenerateContent",
        "/v1beta/models/a:predict",
        "/v1beta/files/a\u0660",
        "/v1beta/models\n",
        "/v1beta1/models",
        "/V1/models",
        "/v1beta/tunedModels/t:generateContent",
    ],
)
def test_nothing_else_exists(path: str) -> None:
    with pytest.raises(NotFoundError):
        route_of("POST", path, OPEN)


def test_a_path_says_which_methods_it_has() -> None:
    with pytest.raises(MethodNotAllowedError) as refused:
        route_of("PUT", "/v1beta/files/abc", OPEN)

    assert refused.value.headers == {"Allow": "DELETE, GET"}


def test_closed_resources_answer_that_they_are_closed() -> None:
    with pytest.raises(ForbiddenError, match="NATIVE_RESOURCES"):
        route_of("GET", "/v1beta/files", OPEN - {NativeResource.FILES})


@given(st.text(st.sampled_from("/v1beta.models%:2e\\?#@ \x00"), max_size=40))
def test_a_name_in_a_path_is_always_a_plain_segment(path: str) -> None:
    try:
        route = route_of("GET", path, OPEN)
    except GatewayError:
        return
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*|", route.name)
