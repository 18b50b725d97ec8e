"""Access to stored resources: a call may name only the client's own files, caches, batches and interactions.

The one place of the relayed surfaces where access to a resource is decided. For an unknown, expired or foreign resource
the error is Gemini's own for a resource that does not exist. This module knows no HTTP.
"""

from app.errors import CacheNotFoundError, FileNotFoundProblemError, GatewayError, ResourceNotFoundError
from app.native.services import NativeCall
from app.store.resources import Resource, ResourceKind


def missing_file(name: str) -> GatewayError:
    """Return Gemini's error for a file that does not exist (Files API reference, section 2)."""
    return FileNotFoundProblemError(f"You do not have permission to access the File {name} or it may not exist.")


def missing_cache() -> GatewayError:
    """Return Gemini's error for a cache that does not exist."""
    return CacheNotFoundError("CachedContent not found (or permission denied)")


def missing(kind: ResourceKind, name: str) -> GatewayError:
    """Return Gemini's error for a resource of this kind that does not exist."""
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
    """Return the client's resource named in the path. Raises the error of `missing` if the client has none so named."""
    key = (kind, call.route.name)
    services = call.services
    found = await services.resources.owned(call.client.id, [key], now=services.upstream.clock.expiry_time())
    if key not in found:
        # Like Gemini: 404 for a missing cache in the path, 403 for a missing cache named in a body.
        is_cache = kind is ResourceKind.CACHE
        raise ResourceNotFoundError(missing_cache().detail) if is_cache else missing(kind, call.route.name)
    return found[key]
