"""`POST /auth/tokens`: an app's backend creates a short-lived token for one of its users."""

import time
from contextlib import AsyncExitStack
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from app.api.access import for_any_client
from app.api.caller import caller_of
from app.api.field_errors import ClosedModel
from app.api.json_body import parse_json_body, read_json_body
from app.api.openapi import answers, json_body
from app.api.reports import when
from app.api.schemas import CallWarning, ClientToken
from app.clients.identity import Scope
from app.clients.tokens import MAX_REQUESTS, MAX_TTL_S, MAX_USER_CHARS, MIN_TTL_S
from app.edge.hangup import until_hangup

router = APIRouter(prefix="/api/v1/auth")

MAX_BODY_BYTES = 16_384


class TokenRequest(ClosedModel):
    """The user, the scopes and the lifetime of a token."""

    ttl_s: Annotated[int, Field(ge=MIN_TTL_S, le=MAX_TTL_S, description="Seconds until the token expires.")] = 900
    user: Annotated[str, Field(min_length=1, max_length=MAX_USER_CHARS, description="The app's own name for its user.")]
    scopes: Annotated[
        list[Scope] | None, Field(description="Scopes of the token, among the key's scopes; by default all of them.")
    ] = None
    max_requests: Annotated[
        int | None, Field(ge=1, le=MAX_REQUESTS, description="Number of requests that the token allows.")
    ] = None


@router.post(
    "/tokens",
    operation_id="createToken",
    summary="Create a short-lived token for a user",
    response_model=None,
    status_code=201,
    responses=answers(ClientToken, status=201),
    openapi_extra=json_body(TokenRequest),
)
@for_any_client
async def create_token(request: Request) -> Response:
    """Create a token that acts as a client of its own: this user of the key's client."""
    caller = caller_of(request)
    async with until_hangup(request.scope), AsyncExitStack() as stack:
        body = await read_json_body(request, caller, stack, limit=MAX_BODY_BYTES)
        asked = parse_json_body(body, TokenRequest)
    token, claims = caller.services.authenticator.tokens.mint(
        caller.client,
        now=time.time(),
        ttl_s=asked.ttl_s,
        user=asked.user,
        scopes=asked.scopes,
        max_requests=asked.max_requests,
    )
    hint = caller.services.authenticator.tokens.total_hint(caller.client)
    answer = ClientToken(
        token=token,
        expires_at=when(claims.expires_at),
        user=claims.user,
        scopes=sorted(claims.scopes),
        max_requests=claims.max_requests,
        warnings=[] if hint is None else [CallWarning(code="no-total-limit", field=None, detail=hint)],
    )
    # A token is a credential, so no cache may keep it.
    return Response(answer.json_bytes(), 201, {"cache-control": "no-store"}, media_type="application/json")
