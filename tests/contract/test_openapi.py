"""The committed document equals the one generated from the code, and keeps to the rules of client generators."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import validate

from app.gemini.credentials import ApiKey
from app.main import create_api
from app.settings import Settings
from tests.contract.pages import ROOT

DOCUMENT: dict[str, Any] = json.loads((ROOT / "openapi" / "openapi.json").read_bytes())
OPERATIONS = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
COMPONENTS: dict[str, Any] = DOCUMENT["components"]["schemas"]
NULL = {"type": "null"}
BINARY = {"type": "string", "format": "binary"}
IDS = {
    *("generate", "chat", "countTokens"),
    *("uploadFile", "uploadRawFile", "listFiles", "getFile", "deleteFile"),
    *("listModels", "getModel"),
    *("createToken", "getUsage"),
    "getUsage",
    *("captionImage", "detectObjects", "segmentImage", "compareImages"),
    *("transcribeAudio", "makeSubtitles", "documentToMarkdown", "describeVideo"),
    *("getHealth", "getReadiness"),
}
RESERVED = {"Any", "Error", "Exception", "File", "Model", "Object", "Request", "Response", "Type"}


def below(schema: dict[str, Any], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a schema and every schema in it, each with its place."""
    yield where, schema
    for name, child in schema.get("properties", {}).items():
        yield from below(child, f"{where}.{name}")
    if "items" in schema:
        yield from below(schema["items"], f"{where}[]")
    for at, child in enumerate(schema.get("anyOf", ())):
        yield from below(child, f"{where}|{at}")


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every request and response body of an operation, by content type."""
    yield from operation.get("requestBody", {}).get("content", {}).items()
    for answer in operation["responses"].values():
        yield from answer.get("content", {}).items()


def all_schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every schema of the document."""
    for name, schema in COMPONENTS.items():
        yield from below(schema, name)
    for operation in OPERATIONS:
        name = operation["operationId"]
        for parameter in operation.get("parameters", ()):
            yield from below(parameter["schema"], f"{name}?{parameter['name']}")
        for content_type, body in contents(operation):
            yield from below(body["schema"], f"{name} {content_type}")


SCHEMAS = dict(all_schemas())


def test_the_committed_openapi_document_matches_the_code() -> None:
    api = create_api(Settings(_env_file=None), ApiKey("any"))

    assert json.loads(json.dumps(api.openapi())) == DOCUMENT


def test_the_document_is_valid_openapi() -> None:
    validate(DOCUMENT)


def test_the_operations_are_those_of_the_contract() -> None:
    names = [operation["operationId"] for operation in OPERATIONS]

    assert sorted(names) == sorted(IDS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation["operationId"])
def test_an_operation_takes_one_content_type(operation: dict[str, Any]) -> None:
    body = operation.get("requestBody")

    assert body is None or len(body["content"]) == 1


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation["operationId"])
def test_an_operation_answers_in_one_type_beside_its_problem(operation: dict[str, Any]) -> None:
    answers = dict(operation["responses"])

    problem = answers.pop("default")
    [(status, answer)] = answers.items()
    types = list(answer.get("content", {}))

    assert problem["content"] == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    if operation["operationId"] in {"generate", "chat"}:
        assert types == ["application/json", "text/event-stream"]
    elif operation["operationId"] == "makeSubtitles":
        assert types == ["text/plain"]
    else:
        assert types == ([] if status == "204" else ["application/json"])


def test_a_stream_is_a_string_beside_the_answer_and_its_event_is_a_component() -> None:
    streams = [body for operation in OPERATIONS for kind, body in contents(operation) if kind == "text/event-stream"]

    assert [body["schema"]["type"] for body in streams] == ["string", "string"]
    assert COMPONENTS["StreamEvent"]["type"] == "object"


def test_no_content_type_is_a_wildcard() -> None:
    assert not [kind for operation in OPERATIONS for kind, _ in contents(operation) if "*" in kind]


@pytest.mark.parametrize("keyword", ["oneOf", "allOf", "prefixItems", "discriminator", "not"])
def test_no_schema_uses_a_construct_that_breaks_generators(keyword: str) -> None:
    assert not [where for where, schema in SCHEMAS.items() if keyword in schema]


def test_any_of_stands_only_between_a_schema_and_null() -> None:
    unions = {where: schema["anyOf"] for where, schema in SCHEMAS.items() if "anyOf" in schema}

    assert not {where: options for where, options in unions.items() if len(options) != 2 or NULL not in options}


def test_no_schema_is_empty() -> None:
    says = {"$ref", "type", "anyOf"}

    assert not [where for where, schema in SCHEMAS.items() if not says & schema.keys()]


def test_every_number_has_a_format() -> None:
    numbers = {where: schema for where, schema in SCHEMAS.items() if schema.get("type") in {"integer", "number"}}

    assert numbers
    assert {(schema["type"], schema.get("format")) for schema in numbers.values()} == {
        ("integer", "int64"),
        ("number", "double"),
    }


def test_a_default_is_of_the_type_that_it_stands_for() -> None:
    nulls = [where for where, schema in SCHEMAS.items() if schema.get("default", 0) is None]

    assert not [where for where in nulls if NULL not in SCHEMAS[where].get("anyOf", ())]


@pytest.mark.parametrize("name", ["GenerateForm", "UploadForm"])
def test_a_form_has_no_null_because_a_form_cannot_say_it(name: str) -> None:
    assert not [where for where, schema in below(COMPONENTS[name], name) if schema == NULL or "anyOf" in schema]


def test_files_of_forms_are_binary_strings() -> None:
    generate = COMPONENTS["GenerateForm"]["properties"]["file"]
    upload = COMPONENTS["UploadForm"]["properties"]["file"]

    assert generate["items"] == BINARY
    assert {name: upload[name] for name in BINARY} == BINARY


@pytest.mark.parametrize("name", ["contents", "messages", "response_schema", "metadata"])
def test_a_structured_field_of_a_form_is_json_text(name: str) -> None:
    field = COMPONENTS["GenerateForm"]["properties"][name]

    assert (field["type"], field["contentMediaType"]) == ("string", "application/json")


def answer_schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas of the answers, by component."""
    found: dict[str, dict[str, Any]] = {}
    waiting = [
        body["schema"]["$ref"]
        for operation in OPERATIONS
        for answer in operation["responses"].values()
        for body in answer.get("content", {}).values()
        if "$ref" in body["schema"]
    ]
    while waiting:
        name = waiting.pop().rpartition("/")[2]
        if name not in found:
            found[name] = COMPONENTS[name]
            waiting += [schema["$ref"] for _, schema in below(COMPONENTS[name], name) if "$ref" in schema]
    return found


def test_every_field_of_an_answer_is_always_there() -> None:
    for name, schema in answer_schemas().items():
        assert sorted(schema["required"]) == sorted(schema["properties"]), name


def test_only_the_gateways_own_values_are_enumerations_in_answers() -> None:
    schemas = (item for name, schema in answer_schemas().items() for item in below(schema, name))

    assert [where for where, schema in schemas if "enum" in schema] == ["MediaFile.state"]


def test_component_names_clash_with_nothing_that_generators_or_languages_have() -> None:
    assert not RESERVED & COMPONENTS.keys()
    assert {"MediaFile", "Problem", "GeminiModel", "StreamEvent", "Generation"} <= COMPONENTS.keys()


def test_the_document_names_itself() -> None:
    assert DOCUMENT["info"]["title"] == "Gemini gateway"
