"""`/upload/{version}/files`: finds the form of the protocol that a request uses, and calls its module."""

from starlette.types import Receive, Scope, Send

from app.errors import MalformedRequestError
from app.native.services import NativeCall
from app.native.uploads.address import token_of
from app.native.uploads.commands import command
from app.native.uploads.ranges import ranged
from app.native.uploads.single import upload_multipart, upload_raw
from app.native.uploads.start import start
from app.request.context import parsed_query


async def upload(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve one request of an upload, by the form of the protocol that it uses."""
    query = parsed_query(scope)
    token, upload_type = token_of(query), query.value("uploadType")
    headers = dict(scope["headers"])
    is_ranged = upload_type == "resumable"
    if token is not None:
        await (ranged if is_ranged else command)(scope, receive, send, call, token=token, headers=headers)
        return
    if scope["method"] != "POST":
        raise MalformedRequestError("An upload must begin with POST.")
    protocol = headers.get(b"x-goog-upload-protocol", b"").decode("latin-1").lower() or upload_type or ""
    match protocol:
        case "resumable":
            await start(scope, receive, send, call, headers=headers, is_ranged=is_ranged)
        case "raw" | "media":
            await upload_raw(scope, receive, send, call, headers=headers)
        case "multipart":
            await upload_multipart(scope, receive, send, call, headers=headers)
        case _:
            raise MalformedRequestError("X-Goog-Upload-Protocol must be resumable, raw or multipart.")
