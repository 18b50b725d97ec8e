"""The gateway's command line with a defect: GET /api/v1/models?defect=... raises an error that quotes the request."""

from starlette.types import Receive, Scope, Send

from app import main
from app.api.direct import RestRoutes
from app.cli.command import main as run


class StumblingRoutes(RestRoutes):
    """The routes of the REST surface, with the defect."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or stumble."""
        if b"defect=" in scope.get("query_string", b""):
            try:
                int(scope["query_string"])
            except ValueError as error:
                raise RuntimeError(f"{scope['headers']}") from error
        await super().__call__(scope, receive, send)


if __name__ == "__main__":
    setattr(main, "RestRoutes", StumblingRoutes)  # noqa: B010  # the name is typed as the class that it replaces
    run()
