"""Embeddings: vectors that the same content always gets, and that mean nothing."""

import hashlib

import numpy as np
import orjson

from gemini_emulator.catalogue import model_for
from gemini_emulator.config import EmulatorConfig
from gemini_emulator.exchange import Exchange
from gemini_emulator.failures import invalid
from gemini_emulator.proto.fields import Fields
from gemini_emulator.proto.messages import BATCH_EMBED_CONTENTS, EMBED_CONTENT
from gemini_emulator.proto.parser import parse
from gemini_emulator.rate import Rate
from gemini_emulator.routing import Route

_DIMENSIONS = 3072
_MAX_REQUESTS = 100


class EmbeddingCalls:
    """Handlers of embedContent and batchEmbedContents."""

    def __init__(self, config: EmulatorConfig, rate: Rate) -> None:
        self._config = config
        self._rate = rate

    async def embed(self, exchange: Exchange, route: Route) -> None:
        """Answer with one vector."""
        request = Fields(parse(EMBED_CONTENT, await self._document(exchange, route)))
        await exchange.answer_json({"embedding": {"values": vector_of(request)}})

    async def embed_batch(self, exchange: Exchange, route: Route) -> None:
        """Answer with one vector a request, in order."""
        requests = Fields(parse(BATCH_EMBED_CONTENTS, await self._document(exchange, route))).many("requests")
        if not requests or len(requests) > _MAX_REQUESTS:
            raise invalid(f"* BatchEmbedContentsRequest.requests: must be 1 to {_MAX_REQUESTS}.\n")
        await exchange.answer_json({"embeddings": [{"values": vector_of(request)} for request in requests]})

    async def _document(self, exchange: Exchange, route: Route) -> object:
        document = await exchange.document(self._config.request_limit_bytes)
        self._rate.admit(model_for(route).name)
        return document


def vector_of(request: Fields) -> list[float]:
    """Spread the hash of a content over a vector of unit length. Raises ApiFailureError for an invalid request."""
    dimensions = request.integer("outputDimensionality")
    if dimensions is None:
        dimensions = _DIMENSIONS
    if not 1 <= dimensions <= _DIMENSIONS:
        raise invalid(f"* EmbedContentRequest.output_dimensionality: must be 1 to {_DIMENSIONS}.\n")
    parts = request.fields("content").many("parts")
    if not parts:
        raise invalid("* EmbedContentRequest.content: contents is not specified\n")
    digest = hashlib.shake_256(orjson.dumps([_fingerprint(part) for part in parts])).digest(2 * _DIMENSIONS)
    numbers = np.frombuffer(digest, dtype="<i2")[:dimensions].astype(np.float64)
    unit = numbers / (float(np.linalg.norm(numbers)) or 1.0)
    values: list[float] = unit.tolist()
    return values


def _fingerprint(part: Fields) -> list[str]:
    inline = part.fields("inlineData")
    blob = inline.blob("data")
    file = part.fields("fileData")
    return [part.text("text"), inline.text("mimeType"), blob.sha256 if blob else "", file.text("fileUri")]
