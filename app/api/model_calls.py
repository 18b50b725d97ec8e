"""ModelCalls a model about files: settle the files, wait until ready, ask; repeat if Gemini calls a file not ready.

Generate, chat and the tasks share this module. It knows neither the question nor the form of the answer.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from app.accounting.estimate import Estimate
from app.accounting.metering import ModelCall
from app.accounting.outcome import Outcome
from app.api.caller import RestCaller
from app.api.prompt import Item, Stored
from app.api.prompt_tokens import input_tokens
from app.errors import FileNotReadyError
from app.gemini.answer import AnswerReader, Delta
from app.gemini.refusals import NamedFileError
from app.gemini.request import GenerateRequest
from app.media.form_files import FormFiles
from app.media.incoming_file import IncomingFile
from app.store.records import MediaFacts

# Makes the request again for each try, because waiting may have changed it.
MakeRequest = Callable[[], GenerateRequest]


class ModelCalls:
    """The model calls of one request, and their files; they end at `ends_at` on the loop's clock."""

    def __init__(
        self,
        caller: RestCaller,
        items: Sequence[Item],
        form_files: FormFiles | None,
        *,
        model: str,
        keep_file: bool,
        ends_at: float,
        max_output_tokens: int | None = None,
    ) -> None:
        self._services = caller.services
        self._usage = caller.usage
        self._items = items
        self._form_files = form_files
        self._model = model
        self._keep_file = keep_file
        self._ends_at = ends_at
        self._max_output_tokens = max_output_tokens

    @property
    def pending_bytes(self) -> int:
        """Return the bytes of uploads that are not acknowledged yet."""
        return 0 if self._form_files is None else self._form_files.pending_bytes

    @property
    def has_uploads(self) -> bool:
        """Whether any file is stored at Gemini, where it must be processed."""
        return bool(self._upload_names())

    async def settle(self) -> None:
        """Finish the uploads. Raises the errors of uploads."""
        if self._form_files is not None:
            await self._form_files.settle(keep=self._keep_file)

    async def wait_until_ready(self) -> dict[str, MediaFacts]:
        """Wait until all files are ready; return the recorded facts of files at Gemini, by their names there.

        Raises FileFailedError, FileNotReadyError, FileNotFoundProblemError.
        """
        timeout_s = self._services.settings.file_ready_timeout_s
        return {name: await self._services.files.ready(name, timeout_s=timeout_s) for name in self._upload_names()}

    async def answer(self, request: MakeRequest) -> AnswerReader:
        """Return the whole answer. Raises the error for Gemini's refusal."""
        reader = AnswerReader(is_stream=False)
        async with self._model_call(reader):
            try:
                await self._generate(request, reader)
            except NamedFileError as error:
                await self._close_if_ours(error)
                raise
            except FileNotReadyError:
                await self._recover()
                await self._generate(request, reader)
        return reader

    async def deltas(self, request: MakeRequest, reader: AnswerReader) -> AsyncIterator[Delta]:
        """Yield the pieces of a streamed answer as they arrive; `reader` collects them. Raises as `answer`."""
        async with self._model_call(reader):
            try:
                async for delta in self._stream(request, reader):
                    yield delta
            except NamedFileError as error:
                await self._close_if_ours(error)
                raise
            except FileNotReadyError:
                await self._recover()
                async for delta in self._stream(request, reader):
                    yield delta
            reader.answer()

    def _model_call(self, reader: AnswerReader) -> AbstractAsyncContextManager[ModelCall]:
        estimate = Estimate(input_tokens(self._items), self._max_output_tokens)
        return self._services.metering.model_call(self._usage, self._model, estimate, partial(outcome_of, reader))

    async def _generate(self, request: MakeRequest, reader: AnswerReader) -> None:
        left_s = self._ends_at - asyncio.get_running_loop().time()
        await self._services.generation.generate(self._model, request(), reader, timeout_s=left_s)

    async def _stream(self, request: MakeRequest, reader: AnswerReader) -> AsyncIterator[Delta]:
        async with self._services.generation.stream(self._model, request()) as responses:
            async for response in responses:
                for delta in reader.feed(response):
                    yield delta

    def _upload_names(self) -> list[str]:
        names = [item.upload_name if isinstance(item, IncomingFile) else None for item in self._items]
        names += [item.file.upload.name for item in self._items if isinstance(item, Stored)]
        return list(dict.fromkeys(name for name in names if name is not None))

    async def _recover(self) -> None:
        # Gemini calls a file not ready that was ready before. Wait for the files and try once more.
        for name in self._upload_names():
            await self._services.files.processing_again(name)
        await self.wait_until_ready()

    # Gemini no longer has the file, so its row must not be offered again. Files of other clients are left alone.
    async def _close_if_ours(self, error: NamedFileError) -> None:
        if error.name in self._upload_names():
            await self._services.files.close(error.name)


def outcome_of(reader: AnswerReader, error: BaseException | None) -> Outcome:
    """Return the outcome of a call whose answer `reader` has read, and that ended in `error`, None for no error."""
    if error is None:
        return Outcome.whole(reader.usage, reader.answer().finish_reason, text_chars=reader.text_chars)
    return Outcome.broken(error, reader.usage, reader.text_chars)
