"""Files on Gemini's own paths: the client's files only, by Gemini's names or by names of the client's choice."""

from starlette.types import Receive, Scope, Send

from app.errors import MalformedRequestError
from app.native.heads import PAGING, encoded, query_of, upstream_headers
from app.native.json_values import text
from app.native.listing import page_of, page_size, page_token
from app.native.owning import missing_file
from app.native.relay import Outgoing, Streaming, WholeAnswer, fetch, relay, send_document
from app.native.services import NativeCall
from app.native.uploads.document import shown
from app.store.records import StoredFile, Upload, UploadState
from app.store.resources import ResourceKind

_LIST_TAKES = PAGING | {"alt", "$alt", "prettyPrint", "$prettyPrint"}


async def get(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `GET {version}/files/ID`."""
    query = query_of(scope)
    stored = await _stored(call)
    name = call.route.name if stored is None else stored.upload.name
    document = await _ask(scope, call, "GET", f"files/{name}{encoded(query)}")
    alias = None if stored is None else stored.upload.alias
    if document.status in {403, 404} and stored is not None:
        await call.services.files.close(name)
        raise missing_file(call.route.name)
    if document.status == 200 and stored is not None:
        await _take_note(call, stored.upload, document)
    if alias is not None and document.status == 200:
        document = document.with_text(shown(document.text, name, alias))
    await send_document(send, document)


async def list_(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `GET {version}/files`: the client's files only, newest first. Raises RateLimitedError."""
    query = query_of(scope, _LIST_TAKES)
    uploads, has_more = await call.services.files.page_of_uploads(
        call.client.id, limit=page_size(query), after=page_token(query)
    )
    await call.services.metering.enter_listing(call.usage, sum(map(_may_change, uploads)))
    documents = []
    for upload in uploads:
        document = await _described(scope, call, upload)
        if document is not None:
            documents.append(shown(document, upload.name, upload.alias))
    page = page_of("files", documents, uploads[-1].name if has_more else None)
    await send_document(send, WholeAnswer.of_json(page))


async def delete(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `DELETE {version}/files/ID`, which ends all of the owner's ids of the file."""
    query = query_of(scope)
    stored = await _stored(call)
    if stored is None:
        document = await _ask(scope, call, "DELETE", f"files/{call.route.name}{encoded(query)}")
        if document.status == 200:
            await call.services.resources.remove((ResourceKind.OUTPUT, call.route.name))
    else:
        document = await _ask(scope, call, "DELETE", f"files/{stored.upload.name}{encoded(query)}")
        if document.status in {200, 403, 404}:
            await call.services.files.close(stored.upload.name)
    await send_document(send, document)


async def download(scope: Scope, receive: Receive, send: Send, call: NativeCall) -> None:
    """Serve `GET {version}/files/ID:download?alt=media` for a file that Gemini made for the client."""
    query = query_of(scope, frozenset({"alt", "$alt"}))
    if query.get("alt", query.get("$alt")) != "media":
        raise MalformedRequestError("A download needs the query parameter alt=media; add it to the URL.")
    stored = await _stored(call)
    name = call.route.name if stored is None else stored.upload.name
    upstream = call.services.upstream
    url = upstream.url(f"/{call.route.version}/files/{name}:download?alt=media")
    await relay(upstream, send, Outgoing("GET", url, upstream_headers(scope), streaming=Streaming.BYTES))


async def _stored(call: NativeCall) -> StoredFile | None:
    """Return the uploaded file named in the path; None for a file made by Gemini. Raises FileNotFoundProblemError."""
    name, services = call.route.name, call.services
    found = (await services.files.named(call.client.id, [name])).get(name)
    if found is None:
        key = (ResourceKind.OUTPUT, name)
        if key not in await services.resources.owned(call.client.id, [key], now=services.upstream.clock.expiry_time()):
            raise missing_file(name)
    return found


async def _ask(scope: Scope, call: NativeCall, method: str, path: str) -> WholeAnswer:
    upstream = call.services.upstream
    url = upstream.url(f"/{call.route.version}/{path}")
    return await fetch(upstream, Outgoing(method, url, upstream_headers(scope)))


async def _described(scope: Scope, call: NativeCall, upload: Upload) -> bytes | None:
    """Return a file's description: Gemini's current one while the file may change, else the stored one."""
    if upload.document is not None and not _may_change(upload):
        return upload.document.encode()
    document = await _ask(scope, call, "GET", f"files/{upload.name}")
    if document.status != 200:
        return None
    await _take_note(call, upload, document)
    return document.text.strip()


async def _take_note(call: NativeCall, upload: Upload, document: WholeAnswer) -> None:
    """Keep Gemini's description of a file whose state may have changed."""
    state = text(document.members.get("state"))
    if _may_change(upload):
        await call.services.files.take_state(upload, state or "", document.text.decode())


def _may_change(upload: Upload) -> bool:
    return upload.document is None or upload.state is UploadState.PROCESSING
