"""One task from its request to its outcome: read the form, learn the file's facts, ask the model.

    form ──> media ──> facts (decoded if the bytes are held) ──> files settled and ready ──> run ──> outcome

The endpoints choose the question and the answer's fields. They know neither how a file arrived nor how long it took.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel

from app.api.caller import RestCaller, caller_of
from app.api.form_reader import open_form
from app.api.model_calls import ModelCalls
from app.api.prompt import part_of, reports, warnings
from app.api.reports import summed_usage
from app.api.schemas import CallWarning, FileReport
from app.edge.hangup import until_hangup
from app.errors import FieldError, InvalidFieldError, UpstreamTimeoutError
from app.gemini.answer import Answer, AnswerReader
from app.gemini.caller import blame
from app.gemini.request import GenerateRequest, Options, Part, TextPart, Turn
from app.media.form_files import FormFiles, UploadPolicy
from app.request.context import parsed_query
from app.services import Services
from app.tasks.answers import TaskAnswer
from app.tasks.forms import PassageForm
from app.tasks.media_facts import TaskMedia
from app.tasks.running import Ending, Run, TaskResult, run_long, run_once
from app.tasks.task import Accumulator, Question, TaskWarning
from app.tasks.task_form import TaskFormReader, TaskSpec

F = TypeVar("F", bound=BaseModel)
R = TypeVar("R", bound=Ending)


class Listener(Protocol):
    """Receives a model's answers while they arrive."""

    async def begin(self) -> None:
        """Note that an answer begins."""

    async def hear(self, text: str) -> None:
        """Add text to the answer."""


@dataclass(slots=True)
class TaskCall(Generic[F]):
    """A task whose form has been read."""

    caller: RestCaller
    reader: TaskFormReader[F]
    form_files: FormFiles
    media: TaskMedia
    asking: ModelCalls
    id: str

    @property
    def services(self) -> Services:
        """Return the services of the gateway."""
        return self.caller.services

    @property
    def model(self) -> str:
        """Return the model that Gemini is asked for, after aliases."""
        return self.caller.model(self.reader.model)

    @property
    def question(self) -> Question:
        """Return the question, as far as the form alone decides it."""
        return self.reader.question

    @property
    def form(self) -> F:
        """Return the whole form."""
        return self.reader.form

    async def prepare(self) -> None:
        """Finish the uploads, wait until Gemini can use the files, and learn their recorded facts."""
        # The bytes are no longer needed here, so a file may be uploaded to be kept.
        self.form_files.release_bytes()
        await self.asking.settle()
        self.media.learn(await self.asking.wait_until_ready())

    async def prepare_passage(self) -> None:
        """Look at the file and prepare it. Raises InvalidFieldError if the passage begins after the file's end."""
        await self.media.look()
        self._check_start()
        await self.prepare()
        self._check_start()

    def _check_start(self) -> None:
        form, duration = self.form, self.media.facts().duration
        start = form.start if isinstance(form, PassageForm) else None
        if start is not None and duration is not None and start >= duration:
            message = f"must be before the end of the file at {duration:g} s"
            raise InvalidFieldError(
                f"start: {message}.",
                errors=(FieldError("start", message, received=f"{start:g}", allowed=f"< {duration:g}"),),
            )

    async def once(self, question: Question, read: Callable[[str], Awaitable[R]]) -> TaskResult[R]:
        """Ask once and return the reading of the answer. Raises the errors of Gemini's refusals and of `read`."""
        return await run_once(self._ask, self.parts(), question, read)

    async def long(self, question: Question, accumulator: Accumulator, listener: Listener | None = None) -> Run:
        """Ask, and continue while the answer is cut; a listener receives arriving text. Raises as `once`."""
        limit = self.services.settings.max_continuations

        async def ask_aloud(turns: Sequence[Turn], options: Options) -> Answer:
            return await self._ask(turns, options) if listener is None else await self._stream(turns, options, listener)

        return await run_long(ask_aloud, self.parts(), question, accumulator, max_continuations=limit)

    async def _ask(self, turns: Sequence[Turn], options: Options) -> Answer:
        reader = await self.asking.answer(lambda: GenerateRequest(turns, options.json()))
        return reader.answer()

    async def _stream(self, turns: Sequence[Turn], options: Options, listener: Listener) -> Answer:
        reader = AnswerReader()
        await listener.begin()
        async for delta in self.asking.deltas(lambda: GenerateRequest(turns, options.json()), reader):
            if not delta.is_thought:
                await listener.hear(delta.text)
        return reader.answer()

    def parts(self) -> list[Part]:
        """Return the media as parts of the request; several pictures are numbered from 0, for the answer."""
        media = [part_of(medium) for medium in self.reader.media]
        if len(media) == 1:
            return media
        return [part for number, one in enumerate(media) for part in (TextPart(f"Picture {number}:"), one)]

    def files(self) -> list[FileReport]:
        """Return the reports of the media."""
        return reports(self.reader.media)

    def common(self, run: Run, found: Sequence[TaskWarning] = ()) -> dict[str, Any]:
        """Return the fields that every answer has."""
        told = [CallWarning(code=one.code, field=one.field, detail=one.detail) for one in (*found, *run.warnings)]
        return {
            "id": self.id,
            "model": run.model or self.model,
            "usage": summed_usage(run.usages, self.services.models, self.model),
            "finish_reason": run.finish_reason,
            "complete": run.is_complete,
            "warnings": [*warnings(self.reader.media), *told],
            "metadata": self.reader.common.metadata,
        }


def completeness(run: Run) -> dict[str, str]:
    """Return the header that marks an incomplete answer that has no field for it."""
    return {} if run.is_complete else {"X-Gateway-Complete": "false"}


def json_answer(answer: TaskAnswer) -> Response:
    """Return an answer as a JSON response."""
    return Response(answer.json_bytes(), media_type="application/json")


@asynccontextmanager
async def open_task(request: Request, spec: TaskSpec[F]) -> AsyncIterator[TaskCall[F]]:
    """Read a task's form and yield the task; its deadline runs from the form's end.

    However the task ends, only files to be kept remain upstream.
    """
    caller = caller_of(request)
    files = caller.form_files(UploadPolicy.FIT, spec.accepts)
    async with until_hangup(request.scope), files:
        reader = TaskFormReader(caller, files, spec, parsed_query(request.scope))
        await reader.read(open_form(request, caller.services))
        limit = caller.services.settings.request_timeout_s
        timeout_s = min(limit, reader.common.timeout_s or limit)
        try:
            ends_at = asyncio.get_running_loop().time() + timeout_s
            async with asyncio.timeout_at(ends_at):
                model = caller.model(reader.model)
                keep_file = bool(reader.common.keep_file)
                asking = ModelCalls(caller, reader.media, files, model=model, keep_file=keep_file, ends_at=ends_at)
                media = TaskMedia(caller.services, reader.media)
                yield TaskCall(caller, reader, files, media, asking, f"task_{secrets.token_hex(12)}")
        except TimeoutError:
            advice = "raise timeout_s or ask for less" if "timeout_s" in spec.form.fields else "shorten the request"
            raise blame(UpstreamTimeoutError(f"No answer within {timeout_s:g} s; {advice}.")) from None
