"""Who may call Google's own paths: every operation against every kind of credential, and another client's objects."""

import time
from pathlib import Path
from typing import Any

import pytest

from app.clients.identity import Scope
from app.native.routes import LIVE, NativeOperation, operations
from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator

VERSIONS = ("v1", "v1beta", "v1alpha")
METHODS = {
    "native.models.list": "GET",
    "native.models.get": "GET",
    "native.generateContent": "POST",
    "native.streamGenerateContent": "POST",
    "native.countTokens": "POST",
    "native.embedContent": "POST",
    "native.batchEmbedContents": "POST",
    "native.batchGenerateContent": "POST",
    "native.asyncBatchEmbedContent": "POST",
    "native.upload": "POST",
    "native.files.list": "GET",
    "native.files.get": "GET",
    "native.files.delete": "DELETE",
    "native.files.download": "GET",
    "native.cachedContents.create": "POST",
    "native.cachedContents.list": "GET",
    "native.cachedContents.get": "GET",
    "native.cachedContents.patch": "PATCH",
    "native.cachedContents.delete": "DELETE",
    "native.batches.list": "GET",
    "native.batches.get": "GET",
    "native.batches.cancel": "POST",
    "native.batches.delete": "DELETE",
    "native.interactions.create": "POST",
    "native.interactions.get": "GET",
    "native.interactions.cancel": "POST",
    "native.interactions.delete": "DELETE",
    "openai.chat.completions": "POST",
    "openai.embeddings": "POST",
    "openai.models.list": "GET",
    "openai.models.get": "GET",
}
"""Every operation. One that is not here fails the test below: it is to be decided who may call it."""
SERVED = sorted({operation.operation_id: operation for operation in operations() if operation is not LIVE}.items())
CALLS = [pytest.param(operation, id=name) for name, operation in SERVED]


def test_every_operation_is_in_the_table() -> None:
    assert [name for name, _ in SERVED] == sorted(METHODS)


async def call(
    closed: Closed, operation: NativeOperation, key: str | None, version: str = "v1beta", **more: Any
) -> Any:
    path = operation.path.replace("{version}", version).replace("{name}", more.pop("name", "nothing"))
    if operation.operation_id == "native.files.download":
        more["params"] = {"alt": "media"}
    if METHODS[operation.operation_id] in {"POST", "PATCH"}:
        more.setdefault("json", {})
    return await closed.call(METHODS[operation.operation_id], path, key, **more)


@pytest.mark.parametrize("operation", CALLS)
async def test_every_operation_needs_a_good_credential(closed: Closed, operation: NativeOperation) -> None:
    revoked = await closed.key("revoked")
    await closed.keys.revoke("revoked", now=time.time())
    expired = await closed.key("expired", expires_in_s=-1)
    credentials = [None, "gg_nothing", revoked, expired, "ggt_e30.AAAA"]

    answers = [await call(closed, operation, key, version) for key in credentials for version in VERSIONS]

    assert {answer.status_code for answer in answers} == {401}
    assert all("error" in answer.json() for answer in answers)
    assert not any(key in answer.text for answer in answers for key in credentials if key)


@pytest.mark.parametrize("operation", CALLS)
async def test_every_operation_needs_the_native_scope(closed: Closed, operation: NativeOperation) -> None:
    without = await closed.key("without", scopes=frozenset(Scope) - {Scope.NATIVE})
    only = await closed.key("only", scopes={Scope.NATIVE})

    refused = await call(closed, operation, without)
    passed = await call(closed, operation, only)

    assert refused.status_code == 403
    assert "scope native" in refused.text
    assert "scope native" not in passed.text
    assert passed.status_code != 401


@pytest.mark.parametrize("operation", CALLS)
async def test_native_resources_closed_by_the_operator_are_closed(
    operation: NativeOperation, emulator: Emulator, tmp_path: Path
) -> None:
    others = sorted({each.resource.value for _, each in SERVED} - {operation.resource.value})
    async with closed_gateway(emulator, tmp_path, native_resources=",".join(others)) as closed:
        answer = await call(closed, operation, await closed.key("web"))

    assert answer.status_code == 403
    assert "NATIVE_RESOURCES" in answer.text


@pytest.mark.parametrize("where", ["x-goog-api-key", "authorization", "x-api-key", "query"])
async def test_a_key_is_taken_where_googles_clients_put_it(closed: Closed, emulator: Emulator, where: str) -> None:
    key = await closed.key("web")
    headers = {} if where == "query" else {where: f"Bearer {key}" if where == "authorization" else key}
    params = {"key": key} if where == "query" else {}

    answer = await closed.call("GET", "/v1beta/models", None, headers=headers, params=params)

    assert answer.status_code == 200
    assert key not in str(emulator.requests("models.list"))


@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/models/%2e%2e/files",
        "/v1beta//files",
        "/v1beta/files/",
        "/v1beta/files/a%2fb",
        "/v1beta/files/a:download:x",
        "/v1beta/files:register",
        "/v1beta/tunedModels",
        "/v1beta/fileSearchStores",
        "/v1beta/auth_tokens",
        "/v1beta/corpora",
        "/v1beta/models/m:predict",
        "/v1beta/models/m:predictLongRunning",
        "/v1beta/models/m/operations/o",
        "/v1beta/operations/o",
        "/v2/models",
        "/v1beta/openai/files",
        "/v1beta/openai/images/generations",
    ],
)
async def test_an_unlisted_path_does_not_exist(closed: Closed, emulator: Emulator, path: str) -> None:
    key = await closed.key("web")

    answers = [await closed.call(method, path, key) for method in ("GET", "POST", "DELETE")]

    assert {answer.status_code for answer in answers} <= {404, 405}
    assert not any(emulator.requests(operation) for operation in ("unknown", "files.get", "files.delete"))
    # The sweep at the start lists the files once.
    assert len(emulator.requests("files.list")) <= 1


@pytest.mark.parametrize("name", ["callback", "access_token2", "upload_id", "alt2", "X"])
async def test_unknown_parameters_are_refused_as_gemini_refuses_them(closed: Closed, name: str) -> None:
    answer = await closed.call("GET", "/v1beta/models", await closed.key("web"), params={name: "x"})

    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert f'Unknown name "{name}"' in answer.json()["error"]["message"]


async def test_a_method_that_a_path_does_not_have_is_405_with_those_that_it_has(closed: Closed) -> None:
    answer = await closed.call("PUT", "/v1beta/cachedContents/x", await closed.key("web"))

    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, PATCH")
