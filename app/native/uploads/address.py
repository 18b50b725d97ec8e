"""The address of an upload session: a token of 256 random bits under the host by which the client came.

    POST|PUT /upload/{version}/files?upload_id=<token>        no credential ──> the session's owner is the client

The token is the credential of its session. The store keeps only its digest, and the address reveals nothing about the
address at Gemini.
"""

import re
import secrets
from hashlib import sha256

from starlette.types import Scope

from app.clients.authenticator import Authenticator
from app.clients.identity import Client
from app.errors import ResourceNotFoundError
from app.request.context import context_of, parsed_query
from app.request.query import RequestQuery
from app.store.upload_sessions import UploadSessions

TOKEN_BYTES = 32
TOKEN_PARAMETER = "upload_id"  # noqa: S105  # the name of a parameter, and no secret
CANCELLED = {"X-Goog-Upload-Status": "cancelled"}
# Base64url of 32 bytes: the last of the 43 characters holds four bits, so it is one of only 16 characters.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


def new_token() -> str:
    """Return a new random token."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest(token: str) -> str:
    """Return the digest by which the store knows a token."""
    return sha256(token.encode()).hexdigest()


def gone() -> ResourceNotFoundError:
    """Return the error for a session that never existed, has ended, or is another client's."""
    return ResourceNotFoundError(
        "The upload session has ended or never existed; start the upload again.", headers=CANCELLED
    )


def token_of(query: RequestQuery) -> str | None:
    """Return the token in a request's query; None without a token.

    Raises ResourceNotFoundError for text that cannot be a token, and MalformedRequestError for two tokens.
    """
    text = query.value(TOKEN_PARAMETER)
    if text is not None and not _TOKEN.fullmatch(text):
        raise gone()
    return text


async def client_by_address(scope: Scope, sessions: UploadSessions, authenticator: Authenticator) -> Client | None:
    """Return the client of a request without a credential, by the token of an upload session.

    Return None unless the request has exactly one well-formed token. Raises ResourceNotFoundError for a token without
    a session, and for a session whose owner is no longer allowed.
    """
    tokens = parsed_query(scope).values(TOKEN_PARAMETER)
    if len(tokens) != 1 or not _TOKEN.fullmatch(tokens[0]):
        return None
    session = await sessions.get(digest(tokens[0]))
    client = None if session is None else await authenticator.uploader(session.owner)
    if client is None:
        raise gone()
    return client


def address(scope: Scope, version: str, token: str, *, is_ranged: bool = False) -> str:
    """Return the session's address under PUBLIC_URL, or else under the scheme, host and prefix of the request.

    `is_ranged` marks the form of the protocol whose chunks have a Content-Range.
    """
    base = f"{context_of(scope).base_url}{scope.get('root_path', '')}"
    form = "uploadType=resumable" if is_ranged else "upload_protocol=resumable"
    return f"{base}/upload/{version}/files?{TOKEN_PARAMETER}={token}&{form}"
