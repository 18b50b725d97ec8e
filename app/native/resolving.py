"""Resolves the names in a body: each must name the client's own object, and is rewritten to Gemini's name for it.

Found: stored object ──> the client's? ──> its name at Gemini, or "does not exist"
Found: model ──> one grammar, alias, allowed? ──> the model's name          Found: URL ──> by its kind and the settings
"""

import hashlib
from collections.abc import Sequence

import orjson

from app.errors import GatewayError, MalformedRequestError, ResourceNotFoundError
from app.gemini.remote_files import URI_PREFIX
from app.native.owning import missing, missing_cache, missing_file
from app.native.scanning import (
    MISSING,
    Field,
    Found,
    Handle,
    ModelName,
    NamedByLines,
    ObjectKind,
    Reference,
    Role,
    Url,
    UrlKind,
    UsageOption,
    canonical,
)
from app.native.services import NativeCall
from app.store.records import StoredFile
from app.store.resources import Key, Resource, ResourceKind

_LINE_FIELD = Field(Role.REFERENCE)
_KINDS = {
    ObjectKind.CACHE: ResourceKind.CACHE,
    ObjectKind.BATCH: ResourceKind.BATCH,
    ObjectKind.INTERACTION: ResourceKind.INTERACTION,
    ObjectKind.LIVE_SESSION: ResourceKind.HANDLE,
}


class Resolver:
    """Resolves the names in one body, and collects its files and cached tokens for the estimate.

    `model` is the model named in the body, `path_model` the model in the path, which the body may only repeat.
    """

    def __init__(self, call: NativeCall, *, path_model: str | None = None) -> None:
        self._call = call
        self._path_model = path_model
        self._line_files: list[StoredFile] = []
        self.model: str | None = None
        self.files: dict[str, StoredFile] = {}
        self.cached_tokens = 0

    async def resolve(self, found: Sequence[Found]) -> list[bytes | None]:
        """Return the replacement for each string, as a quoted JSON literal, or None if the string stays unchanged.

        The lines of a batch's file are checked too. Raises Gemini's error for an object that does not exist,
        ForbiddenError for a model that the client may not use, and MalformedRequestError.
        """
        await self._look_up_files(found)
        resources = await self._look_up(found)
        replaced = [self._replacement(each, resources) for each in found]
        while self._line_files:
            await self._check_lines(self._line_files.pop())
        return replaced

    async def _look_up_files(self, found: Sequence[Found]) -> None:
        names = {
            each.what.name for each in found if isinstance(each.what, Reference) and each.what.kind is ObjectKind.FILE
        }
        wanted = names - self.files.keys()
        if wanted:
            self.files |= await self._call.services.files.named(self._call.client.id, wanted)

    async def _look_up(self, found: Sequence[Found]) -> dict[Key, Resource]:
        keys = {key for each in found if (key := _key(each)) is not None}
        if not keys:
            return {}
        services = self._call.services
        resources = await services.resources.owned(
            self._call.client.id, keys, now=services.upstream.clock.expiry_time()
        )
        self.cached_tokens += sum(each.tokens for each in resources.values())
        return resources

    def _replacement(self, found: Found, resources: dict[Key, Resource]) -> bytes | None:
        match found.what:
            case ModelName(name):
                return self._model(name, is_primary=found.field.is_primary)
            case UsageOption(literal):
                return literal
            case Url(kind):
                self._check_url(kind)
                return None
            case Reference(kind=ObjectKind.FILE) as reference:
                return self._file(found, reference, resources)
            case _:
                if _key(found) not in resources:
                    raise _missing(found)
                return None

    def _model(self, name: str, *, is_primary: bool) -> bytes | None:
        model = self._call.model(name)
        if is_primary:
            if self.model not in {None, model}:
                raise MalformedRequestError(f"The request names two models, {self.model} and {model}; name one.")
            self.model = model
        elif self._path_model not in {None, model}:
            raise MalformedRequestError(
                f"The body names the model {model}, but the path names {self._path_model}; name the same model in both."
            )
        if name.removeprefix("models/") == model:
            return None
        return orjson.dumps(f"models/{model}" if name.startswith("models/") else model)

    def _check_url(self, kind: UrlKind) -> None:
        if kind is UrlKind.OTHER:
            raise MalformedRequestError("URLs of this scheme are not supported; upload the media, or send them inline.")
        if kind is UrlKind.HTTPS and not self._call.services.settings.allow_https_urls:
            raise MalformedRequestError(
                "This gateway accepts only YouTube URLs (ALLOW_HTTPS_URLS is off); upload the media, or send "
                "them inline."
            )

    def _file(self, found: Found, reference: Reference, resources: dict[Key, Resource]) -> bytes | None:
        file = self.files.get(reference.name)
        if file is None:
            # The lines of a results file were never scanned, so such a file cannot be the input of a batch.
            if (ResourceKind.OUTPUT, reference.name) in resources and not found.field.holds_lines:
                return None
            raise missing_file(reference.name)
        if found.field.holds_lines:
            self._line_files.append(file)
        name = file.upload.name
        if reference.is_uri:
            return None if found.text == URI_PREFIX + name else orjson.dumps(f"files/{name}")
        return None if name == reference.name else orjson.dumps(f"files/{name}")

    async def _check_lines(self, file: StoredFile) -> None:
        """Check the objects, models and URLs named in the lines of a batch's file.

        Gemini reads the file as uploaded, so each name must be Gemini's own already.
        """
        named = NamedByLines.load(file.upload.named)
        if named is None:
            raise MalformedRequestError(
                "The lines of the batch's file were not scanned during its upload, or name an object that is not "
                "yours: upload the file again by Gemini's own protocol, as JSON Lines (mimeType jsonl), in one go."
            )
        if named.has_https:
            self._check_url(UrlKind.HTTPS)
        for model in named.models:
            if model.removeprefix("models/") != self._path_model:
                raise MalformedRequestError(
                    f"A line of the batch's file names the model {model[:100]}, but the path names "
                    f"{self._path_model}; name the same model in both."
                )
        found = [Found(0, 0, name, canonical(name) or MISSING, _LINE_FIELD) for name in named.objects]
        for each, replacement in zip(found, await self.resolve(found), strict=True):
            # At Gemini the client's own name for a file would mean another client's file, or no file.
            if replacement is not None:
                raise _missing(each)


def _key(found: Found) -> Key | None:
    match found.what:
        case Handle(value) if found.field.kind is ObjectKind.LIVE_SESSION:
            return handle_key(value)
        case Handle(value):
            return ResourceKind.INTERACTION, value[:300]
        case Reference(kind=ObjectKind.FILE, name=name):
            return ResourceKind.OUTPUT, name
        case Reference(kind=kind, name=name) if kind in _KINDS:
            return _KINDS[kind], name
        case _:
            return None


def handle_key(value: str) -> Key:
    """Return the registry's key of the Live session that a handle resumes: a digest, since a handle is long."""
    return ResourceKind.HANDLE, hashlib.sha256(value.encode()).hexdigest()


def _missing(found: Found) -> GatewayError:
    kind = found.what.kind if isinstance(found.what, Reference) else found.field.kind
    name = found.text.rpartition("/")[2][:60]
    if kind is ObjectKind.FILE:
        return missing_file(name)
    if kind is ObjectKind.CACHE:
        return missing_cache()
    return missing(_KINDS[kind], name) if kind in _KINDS else ResourceNotFoundError("Requested entity was not found.")
