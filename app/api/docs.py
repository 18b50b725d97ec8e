"""`/openapi.json`, and `/docs`: the document as an interactive page, with assets that the gateway itself serves."""

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, JSONResponse
from starlette.staticfiles import StaticFiles

from app.api.access import public
from app.request.operation import PUBLIC

ASSETS = "/docs/assets"
# The page of Swagger UI needs inline scripts and styles; everything else must come from this server.
POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
)


class _Assets(StaticFiles):
    access = PUBLIC


def add_docs(app: FastAPI) -> None:
    """Serve the document, the page and its assets."""
    app.mount(ASSETS, _Assets(packages=[("fastapi_offline", "static")]), name="docs-assets")

    @app.get("/openapi.json", include_in_schema=False)
    @public
    async def openapi_document() -> JSONResponse:
        return JSONResponse(app.openapi())

    @app.get("/docs", include_in_schema=False)
    @public
    async def docs() -> HTMLResponse:
        page = get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS}/swagger-ui.css",
            swagger_favicon_url="data:,",
        )
        return HTMLResponse(page.body, headers={"content-security-policy": POLICY})
