"""Asking a model about files: they are settled and waited for, then the model is asked, once more if Gemini wants it.

It knows neither what is asked nor how the answer is told: generate, chat and the tasks share it.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

from app.accounting.metering import Asked
from app.api.estimating import input_tokens
from app.api.prompt import Item, Stored
from app.api.services import Services
from app.errors import FileNotReadyError
from app.gemini.answer import AnswerReader, Delta
from app.gemini.refusals import NamedFileError
from app.gemini.request import GenerateRequest
from app.media.incoming import Incoming
from app.media.intake import Intake
from app.store.records import Facts

MakeRequest = Callable[[], GenerateRequest]
"""Makes the request anew for each try: what was waited for may have changed it."""


class Asking:
    """The model calls of one request, and the files that they are about."""

    def __init__(
        self,
        services: Services,
        items: Sequence[Item],
        intake: Intake | None,
        *,
        model: str,
        keep_file: bool,
        max_output_tokens: int | None = None,
    ) -> None:
        self._services = services
        self._items = items
        self._intake = intake
        self._model = model
        self._keep_file = keep_file
        self._max_output_tokens = max_output_tokens

    @property
    def pending_bytes(self) -> int:
        """How many bytes of uploads are not acknowledged yet."""
        return 0 if self._intake is None else self._intake.pending_bytes

    @property
    def has_uploads(self) -> bool:
        """Whether any file lies at Gemini, where it has to be processed."""
        return bool(self._upload_names())

    async def settle(self) -> None:
        """Finish the uploads. Raises what an upload raises."""
        if self._intake is not None:
            await self._intake.settle(keep=self._keep_file)

    async def wait_until_ready(self) -> dict[str, Facts]:
        """Wait until all files can be used; gives what is known of those at Gemini, by their names there.

        Raises FileFailedError, FileNotReadyError, FileNotFoundProblemError.
        """
        timeout_s = self._services.settings.file_ready_timeout_s
        return {name: await self._services.files.ready(name, timeout_s=timeout_s) for name in self._upload_names()}

    async def answer(self, request: MakeRequest) -> AnswerReader:
        """Ask for a whole answer. Raises what Gemini's refusal means."""
        async with self._admitted() as asked:
            try:
                reader = await self._services.generation.generate(self._model, request())
            except NamedFileError as error:
                await self._close_if_ours(error)
                raise
            except FileNotReadyError:
                await self._recover()
                reader = await self._services.generation.generate(self._model, request())
            _tell(asked, reader)
        return reader

    async def deltas(self, request: MakeRequest, reader: AnswerReader) -> AsyncIterator[Delta]:
        """Ask for a stream, and give the pieces of text as they come; `reader` gathers them. Raises as `answer`."""
        async with self._admitted() as asked:
            try:
                async for delta in self._stream(request, reader):
                    asked.streamed_chars += len(delta.text)
                    yield delta
            except NamedFileError as error:
                await self._close_if_ours(error)
                raise
            except FileNotReadyError:
                await self._recover()
                async for delta in self._stream(request, reader):
                    asked.streamed_chars += len(delta.text)
                    yield delta
            _tell(asked, reader)

    def _admitted(self) -> AbstractAsyncContextManager[Asked]:
        services = self._services
        if not services.metering.is_on:
            return nullcontext(Asked())
        return services.metering.admitted(
            services.meter, self._model, input_tokens(self._items), self._max_output_tokens
        )

    async def _stream(self, request: MakeRequest, reader: AnswerReader) -> AsyncIterator[Delta]:
        async with self._services.generation.stream(self._model, request()) as responses:
            async for response in responses:
                for delta in reader.feed(response):
                    yield delta

    def _upload_names(self) -> list[str]:
        names = [item.upload_name if isinstance(item, Incoming) else None for item in self._items]
        names += [item.file.upload.name for item in self._items if isinstance(item, Stored)]
        return list(dict.fromkeys(name for name in names if name is not None))

    async def _recover(self) -> None:
        # Gemini says that a file is not ready, though it was: it is waited for, and the call is tried once more.
        for name in self._upload_names():
            await self._services.files.processing_again(name)
        await self.wait_until_ready()

    async def _close_if_ours(self, error: NamedFileError) -> None:
        if error.name in self._upload_names():
            await self._services.files.close(error.name)


def _tell(asked: Asked, reader: AnswerReader) -> None:
    answer = reader.answer()
    asked.usage, asked.outcome = answer.usage, answer.finish_reason
