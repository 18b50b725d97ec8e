"""The project's stored objects besides files (caches, batches, interactions), and the handlers of their calls."""

from collections.abc import Awaitable, Callable

from gemini_emulator.batches.batch_queue import BatchQueue
from gemini_emulator.batches.calls import BatchCalls
from gemini_emulator.caches.cache_store import CacheStore
from gemini_emulator.caches.calls import CacheCalls
from gemini_emulator.clock import Clock
from gemini_emulator.config import EmulatorConfig
from gemini_emulator.exchange import Exchange
from gemini_emulator.failures import ApiFailureError
from gemini_emulator.files.file_store import FileStore
from gemini_emulator.generation.responder import Responder
from gemini_emulator.interactions.calls import InteractionCalls
from gemini_emulator.interactions.memory import Memory
from gemini_emulator.rate import Rate
from gemini_emulator.routing import Route

Handler = Callable[[Exchange, Route], Awaitable[None]]


class Stored:
    """The stores, and the one who answers prompts with them."""

    def __init__(self, config: EmulatorConfig, clock: Clock, file_store: FileStore) -> None:
        self._config = config
        self._clock = clock
        self._file_store = file_store
        self._cache_store = CacheStore(clock)
        self._memory = Memory()
        self.batch_queue = BatchQueue(clock)
        self.responder = Responder(clock, file_store, self._cache_store)

    def handlers(self, rate: Rate) -> dict[str, Handler]:
        """Return the handlers, by operation."""
        caches = CacheCalls(self._config, self._clock, self._cache_store, self.responder)
        batches = BatchCalls(self._config, self._clock, self.batch_queue, self._file_store, self.responder)
        interactions = InteractionCalls(self._config, self._clock, self._memory, self.responder, rate)
        return {
            "caches.create": caches.create,
            "caches.get": caches.get,
            "caches.list": caches.list,
            "caches.patch": caches.patch,
            "caches.delete": caches.delete,
            "batchGenerateContent": batches.create,
            "asyncBatchEmbedContent": batches.create,
            "batches.get": batches.get,
            "batches.list": batches.list,
            "batches.cancel": batches.cancel,
            "batches.delete": batches.delete,
            "interactions.create": interactions.create,
            "interactions.get": interactions.get,
            "interactions.cancel": interactions.cancel,
            "interactions.delete": interactions.delete,
            "operations.get": _get_operation,
        }

    def state(self) -> dict[str, object]:
        """Render everything that lies there, for the inspection call."""
        now = self._clock.now()
        return {
            "caches": [cache.resource() for cache in self._cache_store.everything()],
            "batches": [batch.resource(now) for batch in self.batch_queue.everything()],
            "interactions": [
                {"id": one.interaction_id, "status": one.status_at(now), "model": one.model}
                for one in self._memory.everything()
            ],
        }

    def clear(self) -> None:
        """Drop everything."""
        self._cache_store.clear()
        self._memory.clear()
        self.batch_queue.clear()


async def _get_operation(_: Exchange, __: Route) -> None:
    raise ApiFailureError(404, "Requested entity was not found.")
