"""What a call may name: the client's own files, caches, batches and interactions, and what each is called at Gemini.

The one place of the relayed surfaces where access to a resource is decided. What is unknown, expired or another's is
answered in the words that Gemini has for what does not exist. It knows no HTTP.
"""

from app.errors import CacheNotFoundError, FileNotFoundProblemError, GatewayError, ResourceNotFoundError
from app.native.services import NativeCall
from app.store.resources import Resource, ResourceKind


def missing_file(name: str) -> GatewayError:
    """Say of a file what Gemini says of one that does not exist (Files API reference, section 2)."""
    return FileNotFoundProblemError(f"You do not have permission to access the File {name} or it may not exist.")


def missing_cache() -> GatewayError:
    """Say of a cache what Gemini says of one that does not exist."""
    return CacheNotFoundError("CachedContent not found (or permission denied)")


def missing(kind: ResourceKind, name: str) -> GatewayError:
    """Say of a resource what Gemini says of one that does not exist."""
    if kind is ResourceKind.CACHE:
        return missing_cache()
    if kind is ResourceKind.OUTPUT:
        return missing_file(name)
    if kind is ResourceKind.HANDLE:
        return ResourceNotFoundError("BidiGenerateContent session not found")
    if kind is ResourceKind.INTERACTION:
        return ResourceNotFoundError(f"Interaction {name} was not found.")
    return ResourceNotFoundError("Requested entity was not found.")


async def owned(call: NativeCall, kind: ResourceKind) -> Resource:
    """Give the client's resource that the path names. Raises what `missing` gives."""
    key = (kind, call.route.name)
    services = call.services
    found = await services.resources.owned(call.client.id, [key], now=services.upstream.clock.expiry_time())
    if key not in found:
        # Asked for by its path, a cache is not found; named in a request, it is not the client's to use.
        is_cache = kind is ResourceKind.CACHE
        raise ResourceNotFoundError(missing_cache().detail) if is_cache else missing(kind, call.route.name)
    return found[key]
