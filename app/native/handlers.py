"""The handler of each of Google's operations, by operation id."""

from collections.abc import Mapping

from app.native import batches, caches, files, generation, interactions, live, models, openai
from app.native.app import Handler
from app.native.routes import BATCHING, COUNTING, EMBEDDING, GENERATING
from app.native.uploads.upload import upload


def _each(verbs: tuple[str, ...], handler: Handler) -> dict[str, Handler]:
    return {f"native.{verb}": handler for verb in verbs}


HANDLERS: Mapping[str, Handler] = {
    "native.models.list": models.list_models,
    "native.models.get": models.get_model,
    **_each(GENERATING, generation.generate),
    **_each(EMBEDDING, generation.embed),
    **_each(COUNTING, generation.count_tokens),
    "native.upload": upload,
    "native.files.list": files.list_,
    "native.files.get": files.get,
    "native.files.delete": files.delete,
    "native.files.download": files.download,
    "native.cachedContents.create": caches.create,
    "native.cachedContents.list": caches.list_,
    "native.cachedContents.get": caches.get,
    "native.cachedContents.patch": caches.patch,
    "native.cachedContents.delete": caches.delete,
    **_each(BATCHING, batches.create),
    "native.batches.list": batches.list_,
    "native.batches.get": batches.get,
    "native.batches.cancel": batches.cancel,
    "native.batches.delete": batches.delete,
    "native.interactions.create": interactions.create,
    "native.interactions.get": interactions.get,
    "native.interactions.cancel": interactions.cancel,
    "native.interactions.delete": interactions.delete,
    "native.live": live.live,
    "openai.chat.completions": openai.ask,
    "openai.embeddings": openai.ask,
    "openai.models.list": openai.list_models,
    "openai.models.get": openai.get_model,
}
