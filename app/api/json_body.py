"""A JSON body: read within its limit, counted while it is held in memory, and validated by a model."""

from contextlib import AsyncExitStack
from typing import TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from app.api.bounds import check_values
from app.api.caller import RestCaller
from app.api.forms import invalid
from app.edge.body_timeouts import body_of, content_length
from app.errors import BodyTooLargeError, InvalidFieldError, MalformedRequestError
from app.request.json_content import check_json_content

M = TypeVar("M", bound=BaseModel)


async def read_json_body(request: Request, caller: RestCaller, stack: AsyncExitStack, *, limit: int) -> bytearray:
    """Return a body of at most `limit` bytes; its memory is counted until the stack is closed.

    Raises UnsupportedMediaTypeError, BodyTooLargeError, BusyError, and the errors of reading a body.
    """
    check_json_content(request.scope, has_credential=caller.has_credential)
    services = caller.services
    # Refused before the body is read, so that a waiting client need not send it.
    if (content_length(request.scope) or 0) > limit:
        raise body_too_large(limit)
    body = bytearray()
    async for piece in body_of(request.scope, request.receive, services.settings):
        if len(body) + len(piece) > limit:
            raise body_too_large(limit)
        services.held_bytes.reserve(len(piece))
        stack.callback(services.held_bytes.release, len(piece))
        body += piece
    return body


def parse_json_body(body: bytearray, model: type[M]) -> M:
    """Return the parsed and validated body; raises MalformedRequestError and InvalidFieldError."""
    try:
        # Before parsing, because small values take many times their bytes as Python objects.
        check_values(body)
    except ValueError as error:
        raise InvalidFieldError(f"The body {error}.") from None
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedRequestError(f"The body is not valid JSON: {error.msg} at character {error.pos}.") from None
    try:
        return model.model_validate(parsed)
    except ValidationError as error:
        raise invalid(error, "", None) from None


def body_too_large(limit: int) -> BodyTooLargeError:
    """Return the error for a body of more than `limit` bytes."""
    return BodyTooLargeError(
        f"The body may have at most {limit} bytes. Upload large media to /api/v1/files and name it by file_id."
    )
