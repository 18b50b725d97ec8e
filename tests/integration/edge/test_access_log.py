"""One id and one line for each request, and no secret in either."""

import logging

import pytest
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from app.edge.reply import error_response
from app.errors import BusyError, UnauthenticatedError
from app.request.context import context_of
from app.request.operation import PUBLIC, Operation, Target
from tests.integration.edge.wire import HOST, answer_ok, echo, guarded, respond, serving


@pytest.fixture(autouse=True)
def _info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway")


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name == "gateway.access"]


async def test_the_line_has_the_routes_template_and_never_path_query_or_headers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        context_of(scope).target = Target(Operation("getFile", "/files/{id}", PUBLIC), PUBLIC, is_rest=True)
        await echo(scope, receive, send)

    request = b"POST /files/secret-id?key=secret-key HTTP/1.1\r\n" + HOST
    request += b"X-Request-Id: client_id-1\r\nCookie: secret-cookie\r\nContent-Length: 6\r\n\r\nsecret"

    async with serving(guarded(routed)) as served:
        answer = await served.ask(request)

    (line,) = _lines(caplog)
    assert line.startswith("POST /files/{id} 200 ")
    assert line.endswith(f" in=6 out={len(answer.body)} request_id=client_id-1")
    assert "secret" not in caplog.text


async def test_a_request_that_meets_no_route_has_no_template(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(guarded(answer_ok)) as served:
        await served.ask(b"GET /secret HTTP/1.1\r\n" + HOST + b"\r\n")

    assert _lines(caplog)[0].startswith("GET - 200 ")


@pytest.mark.parametrize("sent", ["short", "has a space in it", "x" * 65, "<script>alert(1)</script>"])
async def test_an_id_that_is_not_well_formed_is_replaced(sent: str) -> None:
    async with serving(guarded(answer_ok)) as served:
        answer = await served.ask(b"GET / HTTP/1.1\r\n" + HOST + f"X-Request-Id: {sent}\r\n\r\n".encode())

    assert answer.headers["x-request-id"].startswith("req_")


async def test_two_requests_have_two_ids() -> None:
    async with serving(guarded(answer_ok)) as served:
        answers = [await served.ask(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n") for _ in range(2)]

    assert answers[0].headers["x-request-id"] != answers[1].headers["x-request-id"]


async def test_an_unexpected_exception_is_a_500_whose_log_has_the_place_without_the_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def stumble(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            int(scope["query_string"])
        except ValueError as error:
            raise RuntimeError(str(error)) from error

    async with serving(guarded(stumble)) as served:
        answer = await served.ask(b"GET /?secret HTTP/1.1\r\n" + HOST + b"\r\n")

    (record,) = [record for record in caplog.records if record.name == "gateway.errors"]
    assert answer.status == 500
    assert answer.problem["code"] == "internal"
    assert b"secret" not in answer.body
    assert "builtins.RuntimeError" in record.message
    assert "builtins.ValueError" in record.message
    assert "in stumble" in record.message
    assert answer.headers["x-request-id"] in record.message
    assert "secret" not in caplog.text
    assert _lines(caplog)[0].startswith("GET - 500 ")


@pytest.mark.parametrize(
    ("path", "content_type", "shape"),
    [
        ("/api/v1/files", "application/problem+json", b'"code":"busy"'),
        ("/v1beta/models", "application/json; charset=utf-8", b'"status":"UNAVAILABLE"'),
        ("/v1beta/openai/models", "application/json; charset=utf-8", b'"code":"busy"'),
    ],
)
async def test_an_error_that_escapes_is_rendered_for_the_surface_of_its_path(
    path: str, content_type: str, shape: bytes
) -> None:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        raise BusyError("All buffers are in use.", retry_after_s=3)

    async with serving(guarded(refuse)) as served:
        answer = await served.ask(f"GET {path} HTTP/1.1\r\n".encode() + HOST + b"\r\n")

    assert answer.status == 503
    assert answer.headers["content-type"] == content_type
    assert answer.headers["retry-after"] == "3"
    assert shape in answer.body


async def test_an_error_response_carries_the_request_id_and_the_base_url() -> None:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await error_response(scope, UnauthenticatedError("No key."))(scope, receive, send)

    async with serving(guarded(refuse)) as served:
        answer = await served.ask(b"GET /api/v1/files HTTP/1.1\r\n" + HOST + b"\r\n")

    assert answer.status == 401
    assert answer.problem["type"] == "http://localhost/problems/unauthenticated"
    assert answer.problem["request_id"] == answer.headers["x-request-id"]
    assert answer.problem["instance"] == "/api/v1/files"


async def test_an_error_before_the_handshake_refuses_the_websocket(caplog: pytest.LogCaptureFixture) -> None:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        raise UnauthenticatedError("No key.")

    async with serving(guarded(refuse)) as served:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://localhost:{served.port}/ws/live", host="127.0.0.1")

    assert refused.value.response.status_code == 401
    assert refused.value.response.headers["X-Request-Id"].startswith("req_")
    assert _lines(caplog)[0].startswith("WEBSOCKET - 401 ")


async def test_an_accepted_websocket_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    async def accept(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        await send({"type": "websocket.send", "bytes": b"abc"})
        await send({"type": "websocket.close"})

    async with (
        serving(guarded(accept)) as served,
        connect(f"ws://localhost:{served.port}/ws/live", host="127.0.0.1") as socket,
    ):
        await socket.send("hello")
        await socket.wait_closed()

    (line,) = _lines(caplog)
    assert line.startswith("WEBSOCKET - 101 ")
    assert " in=5 out=3 " in line


async def test_a_refused_head_has_its_line_too(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(guarded(answer_ok)) as served:
        await served.ask(b"GET / HTTP/1.1\r\n" + HOST + b"X-Request-Id: client_id-2\r\nAccept: */*\r\nNo colon\r\n\r\n")

    (line,) = _lines(caplog)
    assert line.startswith("GET - 400 ")
    assert line.endswith("request_id=client_id-2")


async def test_an_answer_of_many_pieces_is_counted_whole(caplog: pytest.LogCaptureFixture) -> None:
    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        for _ in range(2):
            await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        await send({"type": "http.response.body", "body": b"abc"})

    async with serving(guarded(stream)) as served:
        await served.ask(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")

    assert " out=9 " in _lines(caplog)[0]


async def test_a_server_names_neither_itself_nor_its_version() -> None:
    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send)

    async with serving(plain) as served:
        answer = await served.ask(b"GET / HTTP/1.1\r\n\r\n")

    assert set(answer.headers) == {"date", "content-length"}
