"""Create, get, list, cancel and delete batches, of generateContent and of embedContent (surfaces reference).

requests, or the lines of a stored file ──> each answered by itself ──> results, kept in the batch queue
"""

import asyncio
from collections.abc import Mapping, Sequence

import orjson

from gemini_emulator.batches.batch_queue import BatchQueue
from gemini_emulator.catalogue import Model, model_for
from gemini_emulator.clock import Clock
from gemini_emulator.config import EmulatorConfig
from gemini_emulator.embeddings import vector_of
from gemini_emulator.exchange import Exchange
from gemini_emulator.failures import ApiFailureError, file_not_active, invalid
from gemini_emulator.faults import NO_FAULTS
from gemini_emulator.files.file_store import FileStore
from gemini_emulator.generation.responder import Responder
from gemini_emulator.generation.responses import whole
from gemini_emulator.paging import page_of, slice_of
from gemini_emulator.proto.blobs import lift
from gemini_emulator.proto.fields import Fields
from gemini_emulator.proto.messages import EMBED_CONTENT, GENERATE_CONTENT
from gemini_emulator.proto.parser import parse
from gemini_emulator.proto.stored import ASYNC_BATCH_EMBED_CONTENT, BATCH_GENERATE_CONTENT, BATCH_LINE
from gemini_emulator.routing import Route

_EMBED = "asyncBatchEmbedContent"
_DEFAULT_PAGE = 50
_LARGEST_PAGE = 1000
Result = Mapping[str, object]


class BatchCalls:
    """Handlers of the calls that make batches, and of those on `/{v}/batches`."""

    def __init__(
        self, config: EmulatorConfig, clock: Clock, batch_queue: BatchQueue, file_store: FileStore, responder: Responder
    ) -> None:
        self._config = config
        self._clock = clock
        self._batch_queue = batch_queue
        self._file_store = file_store
        self._responder = responder

    async def create(self, exchange: Exchange, route: Route) -> None:
        """Create a batch; its requests are answered at once, and shown later."""
        document = await exchange.document(self._config.request_limit_bytes)
        model = model_for(route)
        kind = ASYNC_BATCH_EMBED_CONTENT if route.operation == _EMBED else BATCH_GENERATE_CONTENT
        batch = Fields(parse(kind, document)).fields("batch")
        source = batch.fields("inputConfig")
        file_name = source.text("fileName")
        work = (
            self._answer_lines(file_name, model, route.operation)
            if file_name
            else self._answer_inlined(source.fields("requests").many("requests"), model, route.operation)
        )
        results = await exchange.unless_gone(work)
        made = self._batch_queue.add(
            model=model.name,
            display_name=batch.text("displayName"),
            method=route.operation,
            is_from_file=bool(file_name),
            results=results,
            delay_s=self._config.batch_delay_s,
        )
        await exchange.answer_json(made.resource(self._clock.now()))

    async def get(self, exchange: Exchange, route: Route) -> None:
        """Answer with a batch, its results among it once it is done."""
        await exchange.answer_json(self._batch_queue.get(route.name).resource(self._clock.now()))

    async def list(self, exchange: Exchange, _: Route) -> None:
        """Answer with a page, newest first."""
        size, token = page_of(exchange.query, default=_DEFAULT_PAGE, largest=_LARGEST_PAGE)
        page, next_token = slice_of(self._batch_queue.everything(), size, token, number=lambda batch: batch.number)
        now = self._clock.now()
        answer: dict[str, object] = {"operations": [batch.resource(now) for batch in page]} if page else {}
        if next_token:
            answer["nextPageToken"] = next_token
        await exchange.answer_json(answer)

    async def cancel(self, exchange: Exchange, route: Route) -> None:
        """Cancel a batch."""
        self._batch_queue.cancel(route.name)
        await exchange.answer_json({})

    async def delete(self, exchange: Exchange, route: Route) -> None:
        """Delete a batch."""
        self._batch_queue.delete(route.name)
        await exchange.answer_json({})

    async def _answer_inlined(self, items: Sequence[Fields], model: Model, method: str) -> Sequence[Result]:
        if not items:
            raise invalid("* BatchGenerateContentRequest.batch.input_config: requests must not be empty.\n")
        results: list[Result] = []
        for item in items:
            metadata = item.mapping("metadata")
            outcome = await self._outcome(item.fields("request"), model, method)
            results.append(outcome if metadata is None else {"metadata": metadata, **outcome})
        return results

    async def _answer_lines(self, file_name: str, model: Model, method: str) -> Sequence[Result]:
        if not file_name.startswith("files/"):
            raise invalid("* BatchGenerateContentRequest.batch.input_config.file_name: the format is files/{file}.\n")
        file = self._file_store.get(file_name.removeprefix("files/"))
        if file.state_at(self._clock.now()) != "ACTIVE":
            raise file_not_active(file.file_id)
        data = await asyncio.to_thread(file.kept.joined)
        if len(data) < file.size_bytes:
            raise invalid("The emulator has not kept all of this file, and can make no batch of it.")
        lines = [line for line in data.splitlines() if line.strip()]
        if not lines:
            raise invalid("* BatchGenerateContentRequest.batch.input_config.file_name: the file is empty.\n")
        return [await self._answer_line(line, model, method) for line in lines]

    async def _answer_line(self, line: bytes, model: Model, method: str) -> Result:
        key: dict[str, object] = {}
        try:
            tree = orjson.loads(line)
            lift(tree)
            read = Fields(parse(BATCH_LINE, tree))
            key = {"key": read.text("key")} if "key" in read else {}
            kind = EMBED_CONTENT if method == _EMBED else GENERATE_CONTENT
            request = Fields(parse(kind, read.mapping("request") or {}))
        except orjson.JSONDecodeError as error:
            return {"error": _status_of(invalid(f"Invalid JSON payload received. {error}"))}
        except ApiFailureError as failure:
            return {**key, "error": _status_of(failure)}
        return {**key, **await self._outcome(request, model, method)}

    async def _outcome(self, request: Fields, model: Model, method: str) -> Result:
        try:
            if method == _EMBED:
                return {"response": {"embedding": {"values": vector_of(request)}}}
            understood = await self._responder.understand(request, model)
            answer = await self._responder.answer(understood, NO_FAULTS)
            return {"response": whole(answer, understood.identity)}
        except ApiFailureError as failure:
            return {"error": _status_of(failure)}


def _status_of(failure: ApiFailureError) -> object:
    return failure.body()["error"]
