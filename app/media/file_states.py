"""The state of a file at Gemini: asked for, waited for, written to the registry."""

import asyncio
from dataclasses import replace

from app.errors import FileNotFoundProblemError
from app.gemini.remote_files import RemoteFiles
from app.store.files import FileRegistry
from app.store.records import Upload, UploadState

FIRST_POLL_S = 0.1
LONGEST_POLL_S = 5.0
_STATES = {"FAILED": UploadState.FAILED, "PROCESSING": UploadState.PROCESSING}


def state_of(word: str) -> UploadState:
    """Return the state that Google's word means; any unknown word means that the file can be used."""
    return _STATES.get(word, UploadState.ACTIVE)


class FileStates:
    """Follows files that Gemini is still processing."""

    def __init__(self, registry: FileRegistry, remote: RemoteFiles) -> None:
        self._registry = registry
        self._remote = remote

    async def refresh(self, upload: Upload) -> Upload:
        """Return the upload in its state at Gemini now; raises FileNotFoundProblemError if Gemini has lost it."""
        if upload.state is not UploadState.PROCESSING:
            return upload
        remote = await self._remote.get(upload.name)
        if remote is None:
            await self._registry.forget(upload.name)
            raise FileNotFoundProblemError("The file is not at Gemini any more: upload it again.")
        state = state_of(remote.state)
        if state is not UploadState.PROCESSING:
            await self._registry.set_state(upload.name, state, error=remote.error, duration=remote.duration)
        duration = upload.facts.duration if remote.duration is None else remote.duration
        return replace(upload, state=state, error=remote.error, facts=replace(upload.facts, duration=duration))

    async def settle(self, upload: Upload, *, timeout_s: float) -> Upload:
        """Wait at most `timeout_s` until Gemini has processed the upload; return it in its last known state."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        pause = FIRST_POLL_S
        upload = await self.refresh(upload)
        while upload.state is UploadState.PROCESSING:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, LONGEST_POLL_S)
            upload = await self.refresh(upload)
        return upload
