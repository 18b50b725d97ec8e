"""`/files`: upload, find, list, wait for and delete files."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.access import needs
from app.api.caller import RestCaller, caller_of
from app.api.fields import Charset, FileSize, OfFile, Sha256
from app.api.form_reader import FormFile, open_form, read_form
from app.api.forms import FormSpec, FormValues, unknown_after
from app.api.openapi import answers, form_body, raw_body
from app.api.reports import media_file
from app.api.schemas import MediaFile, MediaFileList
from app.clients.identity import Scope
from app.edge.body_timeouts import body_of, content_length
from app.edge.hangup import until_hangup
from app.edge.headers import header
from app.errors import EmptyFileError, FieldError, InvalidFieldError, MalformedRequestError
from app.gemini.request import NO_OPTIONS
from app.media.claims import Claim
from app.media.filenames import clean_filename
from app.media.form_files import FormFiles, UploadPolicy
from app.media.multipart import FormReader
from app.request.context import parsed_query
from app.request.query import RequestQuery
from app.store.records import Origin, UploadState

router = APIRouter(prefix="/api/v1/files")

FileIdPath = Annotated[str, Path(max_length=80, description="A file's id.")]


class UploadForm(BaseModel):
    """A file, uploaded to be used by its id."""

    model_config = ConfigDict(extra="forbid")

    filename: str | None = Field(None, max_length=255, description="Filename instead of that of the part.")
    file_size: Annotated[list[FileSize], OfFile()] = Field(
        default=[], description="Size in bytes of the file that follows."
    )
    sha256: Annotated[list[Sha256], OfFile()] = Field(
        default=[], description="SHA-256 in hex of the file that follows."
    )
    charset: Annotated[list[Charset], OfFile()] = Field(
        default=[], description="Charset of the text file that follows, if it is not UTF-8."
    )
    file: bytes = Field(description="The file.")


SPEC = FormSpec(UploadForm)


@router.post(
    "",
    operation_id="uploadFile",
    summary="Upload a file",
    status_code=201,
    response_model=None,
    responses=answers(MediaFile, status=201),
    openapi_extra=form_body(UploadForm),
)
@needs(Scope.FILES)
async def upload_file(request: Request) -> Response:
    """Stream one file of a form to Gemini and give it an id."""
    caller = caller_of(request)
    async with until_hangup(request.scope), caller.form_files(UploadPolicy.UPLOAD) as files:
        upload = SingleFileForm(caller, files, parsed_query(request.scope))
        await upload.read(open_form(request, caller.services))
        return await _stored(request, files)


class SingleFileForm:
    """Reads a form with one file. Fields may also follow the file, because generated clients send any order."""

    def __init__(self, caller: RestCaller, files: FormFiles, query: RequestQuery) -> None:
        self._files = files
        self._values = FormValues(SPEC, query, max_bytes=caller.services.settings.max_fields_bytes)

    async def read(self, reader: FormReader) -> None:
        """Read the whole form. Raises the error of a field or of the file as soon as it is seen."""
        form = await read_form(reader, self._values, self)
        if not self._files.all:
            raise _one_file("is missing; send the file as a part named file")
        self._files.all[0].rename(clean_filename(form.filename))

    async def take_file(self, file: FormFile) -> None:
        """Stream the file to Gemini; raises InvalidFieldError for a second file."""
        if self._files.all:
            raise _one_file("is given twice; send one file per call")
        await self._files.take(
            file.data,
            filename=file.filename,
            declared=file.declared_mime_type,
            claim=file.claim,
            options=NO_OPTIONS,
            charset=file.fields.charset,
        )

    async def take_field(self, name: str, text: str) -> None:
        """Apply a claim that came after the file; raises WrongClaimError."""
        # Only claims matter after the file; the filename is read at the form's end.
        del name, text
        if self._files.all:
            self._files.all[0].claim_late(self._values.take_of_file().claim)


@router.put(
    "/raw/{filename}",
    operation_id="uploadRawFile",
    summary="Upload a file as the raw body",
    status_code=201,
    response_model=None,
    responses=answers(MediaFile, status=201),
    openapi_extra=raw_body(),
)
@needs(Scope.FILES)
async def upload_raw_file(request: Request, filename: Annotated[str, Path(max_length=255)]) -> Response:
    """Stream the raw body to Gemini and give it an id; the length may be unknown (chunked)."""
    caller = caller_of(request)

    if header(request.scope, b"content-range"):
        raise MalformedRequestError("Content-Range is not taken here: send the whole file in one PUT (RFC 9110, 14.5).")
    async with until_hangup(request.scope), caller.form_files(UploadPolicy.UPLOAD) as files:
        settings = caller.services.settings
        body = body_of(request.scope, request.receive, settings)
        taken = await files.take(
            (memoryview(piece) async for piece in body),
            filename=filename,
            declared=request.headers.get("content-type"),
            claim=Claim(content_length(request.scope), None),
            options=NO_OPTIONS,
        )
        if taken is None:
            raise EmptyFileError("The body has no bytes; send the file as the body.")
        return await _stored(request, files)


def _one_file(message: str) -> InvalidFieldError:
    return InvalidFieldError(f"file: {message}.", errors=(FieldError("file", message),))


async def _stored(request: Request, files: FormFiles) -> Response:
    await files.settle(keep=True, origin=Origin.SENT)
    stored = files.all[0].stored
    if stored is None:
        # Settling with keep=True gives every file an id, or raises.
        raise AssertionError("a settled upload has an id")
    # Behind a proxy, the gateway may be mounted below a prefix.
    base = f"{request.scope.get('root_path', '')}/api/v1/files"
    answer = media_file(stored)
    return Response(answer.json_bytes(), 201, {"location": f"{base}/{answer.id}"}, media_type="application/json")


@router.get(
    "",
    operation_id="listFiles",
    summary="List files, newest first",
    response_model=None,
    responses=answers(MediaFileList),
)
@needs(Scope.FILES)
async def list_files(
    request: Request,
    *,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[
        str | None, Query(max_length=80, description="The id of the last file of the page before.")
    ] = None,
    state: Annotated[Literal["processing", "active", "failed"] | None, Query()] = None,
    sha256: Annotated[Sha256 | None, Query(description="SHA-256 in hex; a match saves the upload.")] = None,
    filename: Annotated[str | None, Query(max_length=255)] = None,
) -> Response:
    """List the existing files of this client."""
    caller = caller_of(request)
    try:
        page = await caller.services.files.page(
            caller.client.id,
            limit=limit,
            after=after or None,
            state=UploadState(state) if state else None,
            sha256=sha256,
            filename=clean_filename(filename),
        )
    except LookupError:
        raise unknown_after(after or "") from None
    answer = MediaFileList(
        data=[media_file(file) for file in page.files],
        has_more=page.has_more,
        next=page.files[-1].id if page.has_more else None,
    )
    return Response(answer.json_bytes(), media_type="application/json")


@router.get(
    "/{file_id}", operation_id="getFile", summary="Get a file", response_model=None, responses=answers(MediaFile)
)
@needs(Scope.FILES)
async def get_file(
    request: Request,
    file_id: FileIdPath,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait until the file is processed.")] = 0,
) -> Response:
    """Return a file; with `wait`, after at most that many seconds, once the file is no longer processing."""
    caller = caller_of(request)
    files = caller.services.files
    async with until_hangup(request.scope):
        file = await files.settled(await files.resolve(caller.client.id, file_id), timeout_s=wait)
    return Response(media_file(file).json_bytes(), media_type="application/json")


@router.delete(
    "/{file_id}",
    operation_id="deleteFile",
    summary="Delete a file",
    status_code=204,
    response_model=None,
    responses=answers(None, status=204),
)
@needs(Scope.FILES)
async def delete_file(request: Request, file_id: FileIdPath) -> Response:
    """Delete a file here and at Gemini; repeating the call is harmless."""
    caller = caller_of(request)
    await caller.services.files.delete(caller.client.id, file_id)
    return Response(status_code=204)
