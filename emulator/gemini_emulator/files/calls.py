"""Calls on stored files: get, list, delete, download (Files API reference, section 2)."""

from gemini_emulator.batches.batch_queue import BatchQueue
from gemini_emulator.clock import Clock
from gemini_emulator.exchange import Exchange
from gemini_emulator.failures import ApiFailureError, invalid
from gemini_emulator.files.file_store import FileStore
from gemini_emulator.paging import page_of
from gemini_emulator.routing import Route

_DEFAULT_PAGE = 10
_LARGEST_PAGE = 100


class FileCalls:
    """Handlers of the calls on `/{v}/files`."""

    def __init__(self, clock: Clock, file_store: FileStore, batch_queue: BatchQueue) -> None:
        self._batch_queue = batch_queue
        self._clock = clock
        self._file_store = file_store

    async def get(self, exchange: Exchange, route: Route) -> None:
        """Answer with a file, unwrapped."""
        await exchange.answer_json(self._file_store.get(route.name).resource(self._clock.now()))

    async def delete(self, exchange: Exchange, route: Route) -> None:
        """Delete a file."""
        self._file_store.delete(route.name)
        await exchange.answer_json({})

    async def list(self, exchange: Exchange, _: Route) -> None:
        """Answer with a page of files, newest first; with nothing at all when there are none."""
        size, token = page_of(exchange.query, default=_DEFAULT_PAGE, largest=_LARGEST_PAGE)
        files, next_token = self._file_store.page(size, token)
        now = self._clock.now()
        answer: dict[str, object] = {"files": [file.resource(now) for file in files]} if files else {}
        if next_token:
            answer["nextPageToken"] = next_token
        await exchange.answer_json(answer)

    async def download(self, exchange: Exchange, route: Route) -> None:
        """Answer with the results of a batch; an uploaded file cannot be downloaded."""
        results = self._batch_queue.results_file(route.name)
        if results is not None:
            await exchange.answer(results, content_type=b"application/octet-stream")
            return
        self._file_store.get(route.name)
        raise invalid(f"The File {route.name} was uploaded, and only generated files can be downloaded.")

    async def register(self, _: Exchange, __: Route) -> None:
        """Refuse: registering needs an OAuth token, which the emulator does not know."""
        raise ApiFailureError(
            401,
            "API keys are not supported by this API. Expected OAuth2 access token or other authentication "
            "credentials that assert a principal.",
        )
