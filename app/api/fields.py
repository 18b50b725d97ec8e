"""The types of fields and parameters, defined once: notation and allowed values."""

import re
from typing import Annotated, Literal

import orjson
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from app.api.bounds import check_depth, check_schema, check_values
from app.api.forms import OfFile
from app.media.text import codec_named

MAX_TIME_S = 10 * 24 * 3600.0
_CLOCK = re.compile(r"(?:[0-9]{1,6}:)?[0-9]{1,6}:[0-9]{1,2}(?:\.[0-9]{1,9})?")


def _boolean(value: object) -> object:
    if isinstance(value, str):
        known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if value.lower() not in known:
            raise ValueError("must be true, false, 1, 0, yes or no")
        return known[value.lower()]
    return value


def _time(value: object) -> object:
    if not isinstance(value, str) or ":" not in value:
        return value
    if _CLOCK.fullmatch(value) is None:
        raise ValueError("must be seconds, M:SS or H:MM:SS")
    numbers = [float(piece) for piece in value.split(":")]
    if not all(number < 60 for number in numbers[1:]):
        raise ValueError("minutes and seconds after a colon must be less than 60")
    return sum(number * 60**power for power, number in enumerate(reversed(numbers)))


def _json(value: object) -> object:
    if not isinstance(value, str):
        return value
    check_values(value.encode("utf-8", "replace"))
    try:
        parsed: object = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"is not valid JSON text: {error.msg} at character {error.pos}") from error
    check_depth(parsed)
    return parsed


def _small(value: dict[str, object] | None) -> dict[str, object] | None:
    if value is not None:
        check_depth(value)
    if value is not None and len(orjson.dumps(value)) > 2_000:
        raise ValueError("must be at most 2000 bytes of JSON")
    return value


def _schema(value: dict[str, object]) -> dict[str, object]:
    check_schema(value)
    return value


def _charset(value: str) -> str:
    name = codec_named(value)
    if name is None:
        raise ValueError("must name a known charset, for example windows-1252, iso-8859-1 or utf-16")
    return name


# The schema of a structured field in a form: generated clients send the field as text.
JSON_TEXT = WithJsonSchema({"type": "string", "contentMediaType": "application/json"})

ReadJson = BeforeValidator(_json)
Boolean = Annotated[bool, BeforeValidator(_boolean), WithJsonSchema({"type": "boolean"})]
Time = Annotated[
    float,
    BeforeValidator(_time),
    Field(ge=0, le=MAX_TIME_S, allow_inf_nan=False),
    WithJsonSchema({"type": "number", "format": "double", "minimum": 0}),
]
Sha256 = Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$"), AfterValidator(str.lower)]
Charset = Annotated[str, Field(max_length=40), AfterValidator(_charset)]
Temperature = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]
TopP = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
TopK = Annotated[int, Field(ge=1, le=1_000)]
OutputTokens = Annotated[int, Field(ge=1, le=1_000_000)]
Seed = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
FramesPerSecond = Annotated[float, Field(gt=0, le=24, allow_inf_nan=False)]
FileSize = Annotated[int, Field(ge=0, le=1 << 50)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
ThinkingLevel = Literal["minimal", "low", "medium", "high", "xhigh"]
MediaResolution = Literal["low", "medium", "high"]
FileResolution = Literal["low", "medium", "high", "ultra_high"]
Safety = Literal["default", "off"]
ModelName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^(models/)?[A-Za-z0-9][A-Za-z0-9._-]*$")]
FileId = Annotated[str, Field(min_length=1, max_length=80)]
Metadata = Annotated[dict[str, object], AfterValidator(_small)]
MetadataText = Annotated[dict[str, object], ReadJson, AfterValidator(_small), JSON_TEXT]
SchemaText = Annotated[dict[str, object], ReadJson, AfterValidator(_schema), JSON_TEXT]
Schema = Annotated[dict[str, object], AfterValidator(_schema)]

__all__ = [
    "JSON_TEXT",
    "Boolean",
    "Charset",
    "FileId",
    "FileResolution",
    "FileSize",
    "FramesPerSecond",
    "MediaResolution",
    "Metadata",
    "MetadataText",
    "ModelName",
    "OfFile",
    "OutputTokens",
    "ReadJson",
    "Safety",
    "Schema",
    "SchemaText",
    "Seconds",
    "Seed",
    "Sha256",
    "Temperature",
    "ThinkingLevel",
    "Time",
    "TopK",
    "TopP",
]
