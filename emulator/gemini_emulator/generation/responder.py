"""Answers a request's message: of a call, of a line of a batch, of an interaction.

message ── cached content put before it ── read_prompt ──> Prompt ── thread: look, compose ──> Answer, Identity
"""

import asyncio
import secrets
from dataclasses import dataclass

from gemini_emulator.caches.cache_store import CacheStore
from gemini_emulator.catalogue import Model
from gemini_emulator.clock import Clock
from gemini_emulator.faults import Faults
from gemini_emulator.files.file_store import FileStore
from gemini_emulator.generation.answering import Answer, compose
from gemini_emulator.generation.media import MediaReader
from gemini_emulator.generation.media_analyzer import MediaAnalyzer, Seen
from gemini_emulator.generation.prompt import Prompt, read_prompt
from gemini_emulator.generation.responses import Identity, prompt_tokens
from gemini_emulator.proto.fields import Fields


@dataclass(frozen=True, slots=True)
class Understood:
    """A prompt, the perceived content of its media, and the identity of the answering model."""

    prompt: Prompt
    seen: list[Seen]
    identity: Identity


class Responder:
    """Answers prompts, with access to stored files and caches."""

    def __init__(self, clock: Clock, file_store: FileStore, cache_store: CacheStore) -> None:
        self._reader = MediaReader(file_store, clock)
        self._cache_store = cache_store
        self._media_analyzer = MediaAnalyzer()

    async def understand(self, request: Fields, model: Model) -> Understood:
        """Read a request and perceive its media. Raises ApiFailureError for a request that Gemini refuses."""
        request, cached = self._cache_store.unfold(request, model.name)
        prompt = read_prompt(request, model, self._reader)
        seen: list[Seen] = []
        if prompt.media:
            resolution = prompt.options.media_resolution
            seen = await asyncio.to_thread(self._media_analyzer.look, prompt.media, model.name, resolution)
        identity = Identity(model.name, secrets.token_urlsafe(16), prompt_tokens(prompt, seen), cached)
        return Understood(prompt, seen, identity)

    async def answer(self, understood: Understood, faults: Faults) -> Answer:
        """Compose the answer; raises ApiFailureError when a schema cannot be met."""
        prompt = understood.prompt
        is_slow = prompt.options.schema is not None or prompt.functions.declared or prompt.options.transcription
        if not is_slow:
            return compose(prompt, understood.seen, faults)
        return await asyncio.to_thread(compose, prompt, understood.seen, faults)
