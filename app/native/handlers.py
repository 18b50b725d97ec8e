"""Who serves which of Google's operations, by their verbs."""

from collections.abc import Mapping

from app.native import files, generation, models
from app.native.app import Handler
from app.native.routes import COUNTING, EMBEDDING, GENERATING
from app.native.uploads.upload import upload

HANDLERS: Mapping[str, Handler] = {
    "models.list": models.list_models,
    "models.get": models.get_model,
    **dict.fromkeys(GENERATING, generation.generate),
    **dict.fromkeys(EMBEDDING, generation.embed),
    **dict.fromkeys(COUNTING, generation.count_tokens),
    "upload": upload,
    "files.list": files.list_,
    "files.get": files.get,
    "files.delete": files.delete,
    "files.download": files.download,
}
