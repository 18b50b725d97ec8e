"""What a body's strings stand for: each is the client's own, said as Gemini says it, or is refused.

Found: file, cache, batch, interaction ──> the client's? ──> its name at Gemini, or "does not exist"
Found: model ──> alias, allowed? ──> the model's name          Found: URL ──> by its kind and the settings
"""

import hashlib
from collections.abc import Sequence

import orjson

from app.errors import GatewayError, MalformedRequestError, ResourceNotFoundError
from app.gemini.remote_files import URI_PREFIX
from app.native.owning import missing, missing_cache, missing_file
from app.native.scanning import (
    Facts,
    Found,
    Handle,
    JsonScanner,
    Kind,
    ModelName,
    Policy,
    Reference,
    Unusable,
    Url,
    UrlKind,
    classify,
)
from app.native.services import NativeCall
from app.store.records import StoredFile
from app.store.resources import Key, Resource, ResourceKind

_KINDS = {Kind.CACHE: ResourceKind.CACHE, Kind.BATCH: ResourceKind.BATCH, Kind.INTERACTION: ResourceKind.INTERACTION}
MAX_REFERENCES = 5_000
RESUMPTION_KEY = "handle"
"""The name, folded, by which a Live session says which one it resumes."""
LINES_KEY = "filename"
"""The name, folded, by which a batch names the file of its requests."""


class Resolver:
    """Resolves what one body names; it keeps what an estimate needs. Its scanner is the body's."""

    def __init__(self, call: NativeCall, policy: Policy, base_url: str) -> None:
        self._call = call
        self.scanner = JsonScanner(policy, (base_url,) if base_url else ())
        self.model: str | None = None
        self.files: dict[str, StoredFile] = {}
        self.cached_tokens = 0
        self.line_files: list[StoredFile] = []
        """Files whose lines are requests of their own: what those name is to be checked as well."""
        self._count = 0

    @property
    def facts(self) -> Facts:
        """What the scanner has seen."""
        return self.scanner.facts

    async def resolve(self, found: Sequence[Found]) -> list[bytes]:
        """Give for each string what goes on in its place, as JSON with its quotes.

        Raises what Gemini says of resources that do not exist, ForbiddenError for models, MalformedRequestError.
        """
        self._count += len(found)
        if self._count > MAX_REFERENCES:
            raise MalformedRequestError(f"The request names more than {MAX_REFERENCES} files and other resources.")
        await self._look_up_files(
            [each.what.name for each in found if isinstance(each.what, Reference) and each.what.kind is Kind.FILE]
        )
        resources = await self._look_up(found)
        return [self._resolved(each, resources) for each in found]

    async def _look_up_files(self, names: list[str]) -> None:
        wanted = {name for name in names if name not in self.files}
        if wanted:
            self.files |= await self._call.services.files.named(self._call.client.id, wanted)

    async def _look_up(self, found: Sequence[Found]) -> dict[Key, Resource]:
        keys: set[Key] = set()
        for each in found:
            key = _key(each)
            if key is not None:
                keys.add(key)
        if not keys:
            return {}
        services = self._call.services
        resources = await services.resources.owned(
            self._call.client.id, keys, now=services.upstream.clock.expiry_time()
        )
        self.cached_tokens += sum(each.tokens for each in resources.values())
        return resources

    def _resolved(self, found: Found, resources: dict[Key, Resource]) -> bytes:
        match found.what:
            case ModelName(name):
                return self._model(found, name)
            case Url(kind):
                self._check_url(kind)
            case Unusable(kind):
                raise _missing(kind, found.text)
            case Reference(kind=Kind.FILE) as reference:
                return self._file(found, reference, resources)
            case what if (key := _key(found)) not in resources:
                raise _missing(what.kind, found.text) if isinstance(what, Reference) else _missing_handle(key)
            case _:
                pass
        return found.raw

    async def check_lines(self) -> None:
        """Check what the lines of a batch's files name, as it was taken down while they passed.

        Raises as `resolve` does, and MalformedRequestError for a file of which that is not known.
        """
        for file in self.line_files:
            if file.upload.named is None:
                raise MalformedRequestError(
                    "What the lines of the batch's file name is not known: upload it again by Gemini's own protocol, "
                    "as JSON Lines (mimeType jsonl), in one go."
                )
            named = [classify(name) or Url(UrlKind.HTTPS) for name in orjson.loads(file.upload.named)]
            await self.resolve([Found(b"", "", what, "") for what in named])
            for what in named:
                if isinstance(what, Reference) and what.name in self.files:
                    self._check_own_name(what.name)

    def _check_own_name(self, name: str) -> None:
        # Lines go to Gemini as they are: a name of the client's own would be another's file there, or none.
        if self.files[name].upload.name != name:
            raise missing_file(name)

    def _model(self, found: Found, name: str) -> bytes:
        model = self._call.model(name)
        self.model = model
        if name.removeprefix("models/") == model:
            return found.raw
        return orjson.dumps(f"models/{model}" if name.startswith("models/") else model)

    def _check_url(self, kind: UrlKind) -> None:
        if kind is UrlKind.OTHER:
            raise MalformedRequestError("URLs of this scheme are not taken: upload the media, or send them inline.")
        if kind is UrlKind.HTTPS and not self._call.services.settings.allow_https_urls:
            raise MalformedRequestError(
                "Gemini is asked to fetch no URLs here but YouTube's (ALLOW_HTTPS_URLS): upload the media."
            )

    def _file(self, found: Found, reference: Reference, resources: dict[Key, Resource]) -> bytes:
        file = self.files.get(reference.name)
        if file is None:
            if (ResourceKind.OUTPUT, reference.name) in resources:
                return found.raw
            raise missing_file(reference.name)
        if found.key == LINES_KEY:
            self.line_files.append(file)
        name = file.upload.name
        if reference.is_uri:
            return found.raw if found.text == URI_PREFIX + name else orjson.dumps(f"files/{name}")
        return found.raw if name == reference.name else orjson.dumps(f"files/{name}")


def _key(found: Found) -> Key | None:
    what = found.what
    if isinstance(what, Handle) and found.key == RESUMPTION_KEY:
        return handle_key(what.value)
    if isinstance(what, Handle):
        return ResourceKind.INTERACTION, what.value.removeprefix("interactions/")[:255]
    if isinstance(what, Reference):
        if what.kind is Kind.FILE:
            return ResourceKind.OUTPUT, what.name
        if what.kind in _KINDS:
            return _KINDS[what.kind], what.name
    return None


def handle_key(value: str) -> Key:
    """Give the key of the Live session that a handle resumes: it is long and opaque, so its digest is kept."""
    return ResourceKind.HANDLE, hashlib.sha256(value.encode()).hexdigest()


def _missing(kind: Kind | None, text: str) -> GatewayError:
    name = text.rpartition("/")[2][:60]
    if kind is None or kind is Kind.FILE:
        return missing_file(name)
    if kind is Kind.CACHE:
        return missing_cache()
    return missing(_KINDS[kind], name) if kind in _KINDS else ResourceNotFoundError("Requested entity was not found.")


def _missing_handle(key: Key | None) -> GatewayError:
    kind, name = key or (ResourceKind.INTERACTION, "")
    return missing(kind, name)
