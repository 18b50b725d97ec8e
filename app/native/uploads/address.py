"""The address of an upload's session: 256 random bits under the host by which the client came.

It is the session's credential. Of it only a digest is kept, and it tells nothing of the address at Gemini.
"""

import secrets
from hashlib import sha256

from starlette.types import Scope

TOKEN_BYTES = 32


def new_token() -> str:
    """Make what makes an address."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest(token: str) -> str:
    """Give what is kept of it."""
    return sha256(token.encode()).hexdigest()


def address(scope: Scope, version: str, token: str, *, is_ranged: bool = False) -> str:
    """Give the address that a client gets: scheme, host and prefix by which it came, or PUBLIC_URL's.

    `is_ranged` is for the form of the protocol whose chunks come with Content-Range.
    """
    base = f"{scope.get('gateway.base_url', '')}{scope.get('root_path', '')}"
    form = "uploadType=resumable" if is_ranged else "upload_protocol=resumable"
    return f"{base}/upload/{version}/files?upload_id={token}&{form}"
