"""The OpenAPI document: the bodies and answers of each operation, and the rules that client generators need.

No `anyOf` except with null, no empty schema, a format on every number, one request content type, one documented answer
type (a stream is documented beside JSON as a string).
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.api.schemas import Problem, StreamEvent

Schema = dict[str, Any]
REF = "#/components/schemas/{model}"
STREAMED = "Server-sent events, one StreamEvent each: start, status, delta, then done or error."


def answers(
    model: type[BaseModel] | None, *, status: int = 200, streamed: str | None = None
) -> dict[int | str, Schema]:
    """Return an operation's answers: its own, and the problem for every error."""
    own: Schema = {"description": "Success"}
    if model is not None:
        own["model"] = model
    if streamed is not None:
        own["content"] = {"text/event-stream": {"schema": {"type": "string", "description": streamed}}}
    ref = {"$ref": REF.format(model=Problem.__name__)}
    problem = {"description": "A problem", "content": {"application/problem+json": {"schema": ref}}}
    return {status: own, "default": problem}


def text_answer(description: str) -> dict[int | str, Schema]:
    """Return the answers of an operation that answers with plain text."""
    own = {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}
    return {**answers(None), 200: own}


def form_body(model: type[BaseModel]) -> Schema:
    """Return the description of a multipart body."""
    return _body("multipart/form-data", model)


def json_body(model: type[BaseModel]) -> Schema:
    """Return the description of a JSON body."""
    return _body("application/json", model)


def raw_body() -> Schema:
    """Return the description of a body that is the file itself."""
    schema = {"type": "string", "format": "binary"}
    return {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": schema}}}}


def _body(content_type: str, model: type[BaseModel]) -> Schema:
    ref = {"$ref": REF.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {content_type: {"schema": ref}}}}


def _tidy(node: object) -> None:
    if isinstance(node, list):
        for item in node:
            _tidy(item)
    elif isinstance(node, dict):
        # Generators choose the width of numbers by their format.
        kind = node.get("type")
        if kind == "integer":
            node.setdefault("format", "int64")
        elif kind == "number":
            node.setdefault("format", "double")
        elif kind == "object" and not node.get("properties"):
            node.setdefault("additionalProperties", True)
        # A property may itself be named title, so only generated titles are removed.
        if isinstance(node.get("title"), str):
            del node["title"]
        for item in node.values():
            _tidy(item)


def _schemas(models: Mapping[str, type[BaseModel]], extra: Schema) -> Schema:
    keyed = [(model, "validation") for model in models.values()]
    _, defs = models_json_schema(cast("Any", keyed), ref_template=REF)
    schemas = cast("Schema", defs["$defs"])
    _, told = models_json_schema([(Problem, "serialization"), (StreamEvent, "serialization")], ref_template=REF)
    return extra | schemas | cast("Schema", told["$defs"])


def build_document(app: FastAPI, bodies: Iterable[type[BaseModel]]) -> Schema:
    """Return the document of an application's routes; `bodies` are the models of their request bodies."""
    if app.openapi_schema is None:
        built = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, servers=[{"url": "/"}]
        )
        components = built.setdefault("components", {})
        forms = {model.__name__: model for model in bodies}
        components["schemas"] = dict(sorted(_schemas(forms, components.get("schemas", {})).items()))
        # FastAPI documents its own validation errors, but the gateway answers with problems.
        for unused in ("HTTPValidationError", "ValidationError"):
            components["schemas"].pop(unused, None)
        for path in built["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        for name, schema in components["schemas"].items():
            if name.endswith("Form"):
                _as_form(schema)
        _tidy(built["paths"])
        _tidy(components)
        app.openapi_schema = built
    return app.openapi_schema


def _as_form(schema: Schema) -> None:
    properties = {name: _without_null(field) for name, field in schema["properties"].items()}
    file = properties["file"]
    binary = {"type": "string", "format": "binary"}
    properties["file"] = {
        "description": file["description"],
        **(binary if file["type"] == "string" else {"type": "array", "items": binary}),
    }
    schema["properties"] = properties


def _without_null(field: Schema) -> Schema:
    # A form has no null: generated clients would send the word. An absent field is the default.
    rest = {name: value for name, value in field.items() if name not in {"anyOf", "default"}}
    options = [option for option in field.get("anyOf", []) if option != {"type": "null"}]
    return {**options[0], **rest} if options else rest
