"""Calls on stored files: get, list, delete, download (Files API reference, section 2)."""

from gemini_emulator.batches.desk import Desk
from gemini_emulator.clock import Clock
from gemini_emulator.exchange import Exchange
from gemini_emulator.failures import ApiFailureError, invalid
from gemini_emulator.files.shelf import Shelf
from gemini_emulator.paging import page_of
from gemini_emulator.routing import Route

_DEFAULT_PAGE = 10
_LARGEST_PAGE = 100


class FileCalls:
    """Handlers of the calls on `/{v}/files`."""

    def __init__(self, clock: Clock, shelf: Shelf, desk: Desk) -> None:
        self._desk = desk
        self._clock = clock
        self._shelf = shelf

    async def get(self, exchange: Exchange, route: Route) -> None:
        """Answer with a file, unwrapped."""
        await exchange.answer_json(self._shelf.get(route.name).resource(self._clock.now()))

    async def delete(self, exchange: Exchange, route: Route) -> None:
        """Delete a file."""
        self._shelf.delete(route.name)
        await exchange.answer_json({})

    async def list(self, exchange: Exchange, _: Route) -> None:
        """Answer with a page of files, newest first; with nothing at all when there are none."""
        size, token = page_of(exchange.query, default=_DEFAULT_PAGE, largest=_LARGEST_PAGE)
        files, next_token = self._shelf.page(size, token)
        now = self._clock.now()
        answer: dict[str, object] = {"files": [file.resource(now) for file in files]} if files else {}
        if next_token:
            answer["nextPageToken"] = next_token
        await exchange.answer_json(answer)

    async def download(self, exchange: Exchange, route: Route) -> None:
        """Answer with the results of a batch; an uploaded file cannot be downloaded."""
        results = self._desk.results_file(route.name)
        if results is not None:
            await exchange.answer(results, content_type=b"application/octet-stream")
            return
        self._shelf.get(route.name)
        raise invalid(f"The File {route.name} was uploaded, and only generated files can be downloaded.")

    async def register(self, _: Exchange, __: Route) -> None:
        """Refuse: registering needs an OAuth token, which the emulator does not know."""
        raise ApiFailureError(
            401,
            "API keys are not supported by this API. Expected OAuth2 access token or other authentication "
            "credentials that assert a principal.",
        )
