"""One call of a model, from a request that has been read to its answer, whole or as events.

    settle the files ──> wait until they are ready ──> ask ──> answer

Generate and chat share this module, with both ways of answering.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from app.api.caller import RestCaller
from app.api.conformance import Conformance
from app.api.model_calls import ModelCalls
from app.api.prompt import Item, reports, warnings
from app.api.reports import token_usage, when
from app.api.schemas import CallWarning, FileReport, Generation, StreamEvent
from app.errors import GatewayError, UpstreamTimeoutError
from app.gemini.answer import ENDED, AnswerReader
from app.gemini.caller import blame
from app.gemini.request import GenerateRequest, Options
from app.media.form_files import FormFiles

PROGRESS_S = 1.0
SAMPLING = ("temperature", "top_p", "top_k")


@dataclass(frozen=True, slots=True)
class CallOptions:
    """The options that the gateway itself applies."""

    requested_model: str | None
    keep_file: bool
    timeout_s: float | None
    metadata: dict[str, object] | None
    conformance: Conformance | None


@dataclass(slots=True)
class AnswerCall:
    """A call that is ready to be made. `items` are all media and text of the prompt, including earlier turns."""

    caller: RestCaller
    items: Sequence[Item]
    request: Callable[[], GenerateRequest]
    options: Options
    call_options: CallOptions
    form_files: FormFiles | None = None
    id: str = field(default_factory=lambda: f"gen_{secrets.token_hex(12)}")
    _deadline: float = 0.0

    def __post_init__(self) -> None:
        limit = self.caller.services.settings.request_timeout_s
        asked = self.call_options.timeout_s
        # The deadline counts from the end of the body; a slow client has limits of its own.
        self._deadline = asyncio.get_running_loop().time() + (limit if asked is None else min(limit, asked))

    @property
    def model(self) -> str:
        """Return the model that Gemini is asked for, after aliases."""
        return self.caller.model(self.call_options.requested_model)

    def _late(self) -> GatewayError:
        limit = self.call_options.timeout_s or self.caller.services.settings.request_timeout_s
        late = UpstreamTimeoutError(f"No answer within {limit:g} s; raise timeout_s or shorten the request.")
        return blame(late)

    async def answer(self) -> Generation:
        """Make the call and return the whole answer. Raises the errors of uploads, of waiting and of Gemini."""
        asking = self._asking()
        try:
            async with asyncio.timeout_at(self._deadline):
                await asking.settle()
                await asking.wait_until_ready()
                return await self._report(await asking.answer(self.request))
        except TimeoutError:
            raise self._late() from None

    def _asking(self) -> ModelCalls:
        return ModelCalls(
            self.caller,
            self.items,
            self.form_files,
            model=self.model,
            keep_file=self.call_options.keep_file,
            ends_at=self._deadline,
            max_output_tokens=self.options.max_output_tokens,
        )

    async def events(self) -> AsyncIterator[StreamEvent]:
        """Make the call and yield its events up to done. Raises as `answer`, before or after the first delta."""
        has_begun = False
        async with aclosing(self._events()) as events:
            while True:
                # The deadline holds up to the first text; a begun stream has limits of its own. Sending an event to
                # the client is not cancelled.
                try:
                    async with asyncio.timeout_at(None if has_begun else self._deadline):
                        event = await anext(events, None)
                except TimeoutError:
                    raise self._late() from None
                if event is None:
                    return
                has_begun = has_begun or event.type == "delta"
                yield event

    async def _events(self) -> AsyncGenerator[StreamEvent, None]:
        asking = self._asking()
        yield StreamEvent(type="start", id=self.id, model=self.model, files=reports(self.items))
        async for event in self._prepare(asking):
            yield event
        yield StreamEvent(type="status", stage="generating")
        reader = AnswerReader()
        async for delta in asking.deltas(self.request, reader):
            yield StreamEvent(type="delta", text=delta.text, thought=True if delta.is_thought else None)
        yield StreamEvent(type="done", response=await self._report(reader))

    async def _prepare(self, asking: ModelCalls) -> AsyncIterator[StreamEvent]:
        if asking.pending_bytes or (self.form_files is not None and self.call_options.keep_file):
            # The uploads run in a task, so that the client sees their progress meanwhile.
            settling = asyncio.create_task(asking.settle())
            try:
                while not settling.done():
                    yield StreamEvent(type="status", stage="uploading", bytes=asking.pending_bytes)
                    await asyncio.wait((settling,), timeout=PROGRESS_S)
                await settling
            finally:
                settling.cancel()
                await asyncio.wait((settling,))
        else:
            await asking.settle()
        if asking.has_uploads:
            yield StreamEvent(type="status", stage="processing")
            await asking.wait_until_ready()

    async def _report(self, reader: AnswerReader) -> Generation:
        answer = reader.answer()
        model = self.model
        parsed: Any = None
        if self.call_options.conformance is not None and answer.finish_reason in ENDED:
            # In a thread: validating a long answer takes longer than the event loop may be blocked.
            parsed = await asyncio.to_thread(self.call_options.conformance.parsed, answer.text)
        return Generation(
            id=self.id,
            created_at=when(self.caller.services.files.now()),
            model=answer.model or model,
            requested_model=self.call_options.requested_model or self.caller.services.models.default,
            text=answer.text,
            parsed=parsed,
            finish_reason=answer.finish_reason,
            block_reason=answer.block_reason,
            finish_message=answer.finish_message,
            thoughts=answer.thoughts,
            warnings=[*warnings(self.items), *self._ignored(model)],
            usage=token_usage(answer.usage, self.caller.services.models.cost(model, answer.usage)),
            files=self.reports(),
            metadata=self.call_options.metadata,
        )

    def reports(self) -> list[FileReport]:
        """Return the reports of the media, in the order of the prompt."""
        return reports(self.items)

    def _ignored(self, model: str) -> list[CallWarning]:
        ignored = self.caller.services.models.table.of(model).ignores
        return [
            CallWarning(code="ignored-parameter", field=name, detail=f"{model} ignores {name}.")
            for name in SAMPLING
            if name in ignored and getattr(self.options, name) is not None
        ]
