"""Operations: health, readiness, and the pages that explain problem codes."""

import asyncio
import re
from html import escape

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from app.api.access import public
from app.api.caller import services_of
from app.api.openapi import answers
from app.api.schemas import Health, Readiness
from app.errors import PROBLEMS, NotFoundError, StoreUnavailableError

router = APIRouter()

PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}


@router.get("/", include_in_schema=False)
@public
async def root() -> Response:
    """Redirect to the documentation."""
    return RedirectResponse("/docs", status_code=307)


@router.get("/healthz", operation_id="getHealth", summary="Check that the process is alive", responses=answers(Health))
@public
async def health() -> Health:
    """Return 200 while the process is alive."""
    return Health(status="ok")


@router.get(
    "/readyz",
    operation_id="getReadiness",
    summary="Check that the gateway can take calls",
    responses=answers(Readiness),
)
@public
async def readiness(request: Request) -> Response:
    """Return the state of the process; the status stays 200 if only Gemini is unavailable."""
    services = services_of(request)
    try:
        # A probe must answer soon, even if the database hangs.
        async with asyncio.timeout(2):
            # Any short query shows whether the database answers; nobody owns this file.
            await services.files.known("", "")
        database = "ok"
    except (StoreUnavailableError, TimeoutError):
        database = "away"
    is_reached = services.upstream.is_reached
    gemini = "unknown" if is_reached is None else "ok" if is_reached else "away"
    limits = services.metering.admission.state
    is_degraded = is_reached is False or limits == "away"
    status = "unavailable" if database == "away" else "degraded" if is_degraded else "ready"
    answer = Readiness(status=status, database=database, gemini=gemini, limits=limits)
    return Response(answer.json_bytes(), 503 if database == "away" else 200, media_type="application/json")


@router.get("/problems/{code}", include_in_schema=False)
@public
async def problem_page(code: str) -> Response:
    """Return a page that explains a problem's code."""
    problem = PROBLEMS.get(code)
    if problem is None:
        raise NotFoundError("There is no such problem code.")
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(problem.title)}</title>'
        "<style>body{font:17px/1.6 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}"
        "code{background:#eee;padding:.1em .3em;border-radius:4px}</style>"
        f"<h1>{escape(problem.title)}</h1><p><code>{escape(code)}</code>, HTTP status {problem.status}</p>"
        f"<p>{_html(problem.__doc__ or '')}</p><p><strong>What to do:</strong> {_html(problem.advice)}</p>"
        f"<p>{'The same call may succeed later.' if problem.is_retryable else 'The same call will fail again.'}</p>"
    )
    return HTMLResponse(page, headers=PAGE_HEADERS)


def _html(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
