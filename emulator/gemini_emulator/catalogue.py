"""The models that the emulator pretends to have, and the calls that list them."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gemini_emulator.exchange import Exchange
from gemini_emulator.failures import invalid, unknown_model
from gemini_emulator.paging import page_of
from gemini_emulator.routing import Route

_DEFAULT_PAGE = 50
_LARGEST_PAGE = 1000
_GENERATION = ("generateContent", "countTokens", "createCachedContent", "batchGenerateContent")
_ANSWERING = ("generateContent", "countTokens")
_IMAGING = ("generateContent", "countTokens", "batchGenerateContent")
_LIVE = ("bidiGenerateContent", "countTokens")
_EMBEDDING = ("embedContent", "countTextTokens", "countTokens", "asyncBatchEmbedContent")
_METHOD_OF_CALL = {"streamGenerateContent": "generateContent", "batchEmbedContents": "embedContent"}


@dataclass(frozen=True, slots=True)
class Model:
    """A model: its id, and its limits of input and output in tokens.

    `takes_penalties` ends with the generation that also stops to be prefilled by a last turn of the model.
    `decodes_long` allows an answer over several requests. `makes` is the modality of an answer beside text, IMAGE or
    AUDIO, or "".
    """

    name: str
    display_name: str
    input_limit: int = 1_048_576
    output_limit: int = 65_536
    methods: tuple[str, ...] = _GENERATION
    takes_penalties: bool = True
    decodes_long: bool = False
    makes: str = ""
    transcribes: bool = False

    def resource(self) -> dict[str, object]:
        """Render as `models.get` does."""
        resource: dict[str, object] = {
            "name": f"models/{self.name}",
            "version": "001",
            "displayName": self.display_name,
            "description": f"{self.display_name}, as the emulator pretends to have it",
            "inputTokenLimit": self.input_limit,
            "outputTokenLimit": self.output_limit,
            "supportedGenerationMethods": list(self.methods),
        }
        if self.methods is _GENERATION:
            resource |= {"temperature": 1, "topP": 0.95, "topK": 64, "maxTemperature": 2, "thinking": True}
        return resource


_MODELS: Final = (
    Model("gemini-3.8-flash", "Gemini 3.8 Flash", takes_penalties=False),
    Model("gemini-3.7-flash", "Gemini 3.7 Flash", takes_penalties=False),
    Model("gemini-3.6-flash", "Gemini 3.6 Flash", takes_penalties=False),
    Model("gemini-3.5-flash", "Gemini 3.5 Flash"),
    Model("gemini-3.5-flash-lite", "Gemini 3.5 Flash-Lite"),
    Model("gemini-3.1-flash-lite", "Gemini 3.1 Flash-Lite"),
    Model("gemini-3.1-pro-preview", "Gemini 3.1 Pro Preview"),
    Model("gemini-3.1-pro-preview-customtools", "Gemini 3.1 Pro Preview Custom Tools"),
    Model("gemini-3-flash-preview", "Gemini 3 Flash Preview"),
    Model("gemini-4-argon", "Gemini 4 Argon", takes_penalties=False, decodes_long=True),
    Model("gemini-4-carbon", "Gemini 4 Carbon", takes_penalties=False, decodes_long=True),
    Model("gemini-4-hydrogen", "Gemini 4 Hydrogen", takes_penalties=False, decodes_long=True),
    Model("gemini-4-neon", "Gemini 4 Neon", takes_penalties=False, decodes_long=True),
    Model("gemini-2.5-pro", "Gemini 2.5 Pro"),
    Model("gemini-2.5-flash", "Gemini 2.5 Flash"),
    Model("gemini-2.5-flash-lite", "Gemini 2.5 Flash-Lite"),
    Model("gemini-flash-latest", "Gemini Flash Latest", takes_penalties=False),
    Model("gemini-flash-lite-latest", "Gemini Flash-Lite Latest"),
    Model("gemini-pro-latest", "Gemini Pro Latest"),
    Model("gemini-3-pro-image", "Gemini 3 Pro Image", methods=_IMAGING, makes="IMAGE"),
    Model("gemini-3.1-flash-image", "Gemini 3.1 Flash Image", methods=_IMAGING, makes="IMAGE"),
    Model("gemini-3.1-flash-lite-image", "Gemini 3.1 Flash-Lite Image", methods=_IMAGING, makes="IMAGE"),
    Model("gemini-nano-banana-2.1", "Gemini Nano Banana 2.1", methods=_IMAGING, makes="IMAGE"),
    Model("gemini-2.5-flash-image", "Gemini 2.5 Flash Image", methods=_IMAGING, makes="IMAGE"),
    Model("gemini-3.8-flash-tts", "Gemini 3.8 Flash TTS", methods=_IMAGING, makes="AUDIO"),
    Model("gemini-3.8-flash-lite-tts", "Gemini 3.8 Flash-Lite TTS", methods=_IMAGING, makes="AUDIO"),
    Model("gemini-3.8-live", "Gemini 3.8 Live", methods=_LIVE),
    Model("gemini-3.8-live-extended-thinking", "Gemini 3.8 Live Extended Thinking", methods=_LIVE),
    Model(
        "gemini-3.5-transcribe",
        "Gemini 3.5 Transcribe",
        input_limit=98_304,
        output_limit=32_768,
        methods=_ANSWERING,
        transcribes=True,
    ),
    Model("gemini-embedding-2", "Gemini Embedding 2", input_limit=8_192, output_limit=1, methods=_EMBEDDING),
    Model("gemini-embedding-001", "Gemini Embedding 001", input_limit=2_048, output_limit=1, methods=_EMBEDDING),
)
_BY_NAME: Mapping[str, Model] = {model.name: model for model in _MODELS}


def model_for(route: Route) -> Model:
    """Find the model that a call names; raises ApiFailureError (404) when it is not there or does not do this."""
    model = _BY_NAME.get(route.name)
    method = _METHOD_OF_CALL.get(route.operation, route.operation)
    if model is None or method not in model.methods:
        raise unknown_model(route.name, route.version, route.operation)
    return model


def find_model(name: str, version: str, method: str | None) -> Model:
    """Find a model that a body names, with or without `models/`; raises ApiFailureError (404) as `model_for` does.

    With None as the method, every model that exists is found.
    """
    bare = name.removeprefix("models/")
    model = _BY_NAME.get(bare)
    if model is None or (method is not None and method not in model.methods):
        raise unknown_model(bare, version, method or "getModel")
    return model


def listed_models() -> tuple[Model, ...]:
    """Return all listed models."""
    return _MODELS


async def get_model(exchange: Exchange, route: Route) -> None:
    """Answer with a model."""
    model = _BY_NAME.get(route.name)
    if model is None:
        raise unknown_model(route.name, route.version, "getModel")
    await exchange.answer_json(model.resource())


async def list_models(exchange: Exchange, _: Route) -> None:
    """Answer with a page of models."""
    size, token = page_of(exchange.query, default=_DEFAULT_PAGE, largest=_LARGEST_PAGE)
    start = _start_of(token)
    answer: dict[str, object] = {"models": [model.resource() for model in _MODELS[start : start + size]]}
    if start + size < len(_MODELS):
        answer["nextPageToken"] = base64.urlsafe_b64encode(b"%d" % (start + size)).decode()
    await exchange.answer_json(answer)


async def list_tuned_models(exchange: Exchange, _: Route) -> None:
    """Answer that there are none."""
    await exchange.answer_json({})


def _start_of(token: str) -> int:
    if not token:
        return 0
    try:
        start = int(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError) as error:
        raise invalid("* ListModelsRequest.page_token: the page token is not valid.") from error
    return start if 0 <= start <= len(_MODELS) else len(_MODELS)
