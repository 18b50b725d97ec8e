"""The three kinds of field: references, free text, and every other; models, and forbidden fields."""

import json
from typing import Any

import pytest

from app.errors import ForbiddenError, MalformedRequestError
from app.native.scanning import MISSING, Handle, ModelName, ObjectKind, Policy, Reference, ScanRules, Url, UrlKind
from app.native.scanning.policy import (
    BATCH,
    BATCH_EMBED,
    BATCH_LINE,
    CACHE,
    COUNT_TOKENS,
    EMBED,
    GENERATE,
    INTERACTIONS,
    LIVE,
    OPENAI_CHAT,
    OPENAI_EMBEDDINGS,
    POLICIES,
)
from app.native.scanning.roles import Field, Role, snake
from app.native.scanning.tables.everywhere import EVERYWHERE
from tests.unit.native.scanning.scans import GOOGLE, scanned
from tests.unit.native.scanning.test_references import NO_REFERENCES

REFERENCES = [name for name, field in EVERYWHERE.items() if isinstance(field, Field) and field.role is Role.REFERENCE]
OTHER_SPELLINGS = [text for text in NO_REFERENCES if text]
FILE = Reference(ObjectKind.FILE, "abc")


def whats(body: Any, policy: Policy = GENERATE) -> list[object]:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return [each.what for each in scanned(text, policy)]


@pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
@pytest.mark.parametrize("name", REFERENCES)
def test_a_reference_field_is_one_at_every_place_of_every_surface(name: str, policy: Policy) -> None:
    for spelling in (name, snake(name), name.upper(), f"_{snake(name)}_"):
        for body in ({spelling: "x"}, {"a": {"b": [{spelling: "x"}]}}, {spelling: ["x"]}):
            [found] = whats(body, policy)
            assert found in (MISSING, Handle("x"))


@pytest.mark.parametrize("value", OTHER_SPELLINGS)
@pytest.mark.parametrize("name", ["fileUri", "cachedContent", "fileName", "fileSearchStoreNames"])
def test_any_other_spelling_in_a_reference_field_names_nothing(name: str, value: str) -> None:
    escaped = "".join(f"\\u{ord(character):04x}" for character in value)

    assert whats({name: value}) == [MISSING]
    assert whats(b'{"%b": "%b"}' % (name.encode(), escaped.encode())) == [MISSING]


@pytest.mark.parametrize("value", ["files/abc", f"{GOOGLE}/v1/files/abc", "http://127.0.0.1:8000/v1beta/files/abc"])
def test_a_canonical_name_in_a_reference_field_is_found(value: str) -> None:
    is_uri = value.startswith("http")

    assert whats({"fileUri": value}) == [Reference(ObjectKind.FILE, "abc", is_uri=is_uri)]


@pytest.mark.parametrize("padding", [" ", "\u200b", "./", "x", "\\u0020"])
def test_a_name_behind_padding_names_nothing(padding: str) -> None:
    for size in (3, 3_000, 9_000):
        body = b'{"fileUri": "%bfiles/abc"}' % (padding * size).encode()
        assert whats(body) == [MISSING]


def test_media_fields_alone_take_urls() -> None:
    assert whats({"fileUri": "https://example.com/a"}) == [Url(UrlKind.HTTPS)]
    assert whats({"url": "https://youtu.be/abc"}, OPENAI_CHAT) == [Url(UrlKind.YOUTUBE)]
    assert whats({"uri": "data:image/png;base64,AAAA"}, INTERACTIONS) == []
    assert whats({"fileName": "https://example.com/a"}) == [MISSING]
    assert whats({"cachedContent": "data:text/plain,x"}) == [MISSING]


@pytest.mark.parametrize("name", ["cachedContent", "fileUri", "previous_interaction_id"])
def test_an_absent_reference_names_nothing(name: str) -> None:
    assert whats({name: ""}) == whats({name: None}) == []


def test_interactions_and_live_sessions_are_named_by_ids() -> None:
    assert whats({"model": "m", "previous_interaction_id": "v1_abc"}, INTERACTIONS)[1:] == [Handle("v1_abc")]
    assert whats({"setup": {"sessionResumption": {"handle": "a/b"}}}, LIVE) == [Handle("a/b")]


def test_a_batchs_file_is_marked() -> None:
    body = {"batch": {"inputConfig": {"file_name": "files/abc"}}}

    [found] = scanned(json.dumps(body).encode(), BATCH)

    assert (found.what, found.field.holds_lines) == (FILE, True)


@pytest.mark.parametrize(
    "body",
    [
        {"mimeType": "files/abc"},
        {"role": "files/abc"},
        {"anything": {"deep": ["files/abc"]}},
        ["files/abc"],
        "files/abc",
        {"text": {"x": "files/abc"}},
        {"data": ["files/abc"]},
        {"functionResponse": {"response": "files/abc"}},
        {"contents": [{"parts": [{"functionCall": {"name": "files/abc"}}]}]},
    ],
)
def test_every_other_field_is_judged_by_the_whole_string(body: Any) -> None:
    assert whats(body) == [FILE]


@pytest.mark.parametrize("value", [*OTHER_SPELLINGS, "gs://bucket/x", "https://example.com/a", "//", "x" * 9_000])
def test_every_other_field_passes_unless_the_whole_string_is_canonical(value: str) -> None:
    assert whats({"role": value, "anything": [value]}) == []


@pytest.mark.parametrize(
    ("policy", "body"),
    [
        (GENERATE, {"contents": [{"parts": [{"text": "files/abc", "thoughtSignature": "//8="}]}]}),
        (GENERATE, {"contents": [{"parts": [{"inlineData": {"displayName": "files/abc", "data": "files/abc"}}]}]}),
        (GENERATE, {"contents": [{"parts": [{"functionCall": {"id": "files/1", "args": {"fileUri": "files/abc"}}}]}]}),
        (GENERATE, {"contents": {"parts": {"functionResponse": {"id": "files/1", "response": {"uri": "files/abc"}}}}}),
        (GENERATE, {"contents": [{"parts": [{"executableCode": {"code": "files/abc"}}]}]}),
        (GENERATE, {"contents": [{"parts": [{"codeExecutionResult": {"output": "files/abc"}}]}]}),
        (GENERATE, {"contents": [{"parts": [{"toolResponse": {"response": {"url": "files/abc"}}}]}]}),
        (GENERATE, {"contents": [{"parts": [{"partMetadata": {"a": {"fileUri": "files/abc"}}}]}]}),
        (GENERATE, {"generationConfig": {"stopSequences": ["files/abc", "//"], "responseSchema": {"x": "files/abc"}}}),
        (GENERATE, {"tools": [{"functionDeclarations": [{"description": "files/abc", "parameters": {"uri": "x"}}]}]}),
        (GENERATE, {"systemInstruction": "files/abc", "labels": {"a": "files/abc"}, "continuationToken": "files/abc"}),
        (COUNT_TOKENS, {"generateContentRequest": {"contents": [{"parts": [{"executableCode": {"id": "files/1"}}]}]}}),
        (EMBED, {"content": {"parts": [{"text": "files/abc"}]}, "title": "files/abc"}),
        (BATCH_EMBED, {"requests": [{"content": {"parts": [{"text": "files/abc"}]}}]}),
        (CACHE, {"displayName": "files/abc", "contents": [{"parts": [{"functionCall": {"args": {"x": "files/1"}}}]}]}),
        (BATCH, {"batch": {"inputConfig": {"requests": {"requests": [{"metadata": {"key": "files/abc"}}]}}}}),
        (BATCH_LINE, {"key": "files/abc", "metadata": {"url": "files/abc"}, "request": {"title": "files/abc"}}),
        (LIVE, {"clientContent": {"turns": [{"parts": [{"executableCode": {"code": "files/abc"}}]}]}}),
        (LIVE, {"toolResponse": {"functionResponses": [{"id": "files/1", "response": {"uri": "files/abc"}}]}}),
        (LIVE, {"realtimeInput": {"text": "files/abc", "audio": {"data": "files/abc"}}}),
        (INTERACTIONS, {"input": "files/abc", "system_instruction": "files/abc"}),
        (INTERACTIONS, {"input": ["files/abc", {"type": "text", "text": "files/abc", "name": "files/abc"}]}),
        (INTERACTIONS, {"input": [{"annotations": [{"url": "files/abc", "file_name": "files/abc"}]}]}),
        (INTERACTIONS, {"input": [{"content": [{"annotations": [{"url": "https://x.example/files/a"}]}]}]}),
        (INTERACTIONS, {"input": [{"result": "files/abc", "call_id": "files/1", "id": "files/2"}]}),
        (INTERACTIONS, {"input": [{"result": {"uri": "files/abc", "deep": [{"type": "image", "uri": "files/abc"}]}}]}),
        (INTERACTIONS, {"input": [{"result": [{"url": "https://x.example/", "rendered_content": "files/abc"}]}]}),
        (INTERACTIONS, {"input": [{"arguments": {"urls": ["files/abc"], "uri": "files/abc"}}]}),
        (INTERACTIONS, {"response_format": {"type": "object", "properties": {"uri": {"enum": ["files/abc"]}}}}),
        (INTERACTIONS, {"tools": [{"type": "computer_use", "environment": "browser"}]}),
        (OPENAI_CHAT, {"messages": [{"content": "files/abc", "name": "files/abc", "reasoning_content": "files/abc"}]}),
        (OPENAI_CHAT, {"messages": [{"content": [{"type": "file", "file": {"filename": "files/abc"}}]}]}),
        (OPENAI_CHAT, {"messages": [{"tool_calls": [{"id": "files/1", "function": {"arguments": "files/abc"}}]}]}),
        (
            OPENAI_CHAT,
            {"messages": [{"tool_call_id": "files/1", "annotations": [{"url_citation": {"url": "files/a"}}]}]},
        ),
        (OPENAI_CHAT, {"stop": "files/abc", "user": "files/abc", "metadata": {"url": "files/abc"}}),
        (OPENAI_CHAT, {"stop": ["//"], "prompt_cache_key": "files/abc", "safety_identifier": "files/abc"}),
        (OPENAI_EMBEDDINGS, {"input": ["files/abc", "https://x.example/y"], "user": "files/abc"}),
    ],
)
def test_any_free_text_passes(policy: Policy, body: Any) -> None:
    assert whats(body, policy) == []


@pytest.mark.parametrize(
    ("policy", "body"),
    [
        (GENERATE, {"functionCall": {"args": {"x": "files/abc"}}}),
        (GENERATE, {"executableCode": {"code": "files/abc"}}),
        (GENERATE, {"metadata": {"key": "files/abc"}}),
        (INTERACTIONS, {"x": {"input": "files/abc"}}),
        (OPENAI_CHAT, {"x": {"metadata": {"a": "files/abc"}}}),
    ],
)
def test_text_is_free_at_its_own_place_only(policy: Policy, body: Any) -> None:
    assert whats(body, policy) == [FILE]


@pytest.mark.parametrize("kind", ["image", "audio", "video", "document", "Image"])
@pytest.mark.parametrize("is_list", [False, True])
def test_media_in_a_tools_result_is_a_reference_wherever_the_type_is(kind: str, is_list: bool) -> None:
    for media in ({"type": kind, "uri": "files/abc"}, {"uri": "files/abc", "type": kind}):
        body = {"input": [{"type": "function_result", "result": [media] if is_list else media}]}
        assert whats(body, INTERACTIONS) == [FILE]
    bare = {"input": [{"type": "function_result", "result": [{"uri": "x", "type": kind}]}]}
    assert whats(bare, INTERACTIONS) == [MISSING]


@pytest.mark.parametrize(
    ("policy", "body", "primary", "others"),
    [
        (GENERATE, {"model": "b"}, [], ["b"]),
        (COUNT_TOKENS, {"generateContentRequest": {"model": "b"}}, [], ["b"]),
        (BATCH_EMBED, {"requests": [{"model": "b"}, {"model": "c"}]}, [], ["b", "c"]),
        (BATCH, {"batch": {"model": "b"}}, [], ["b"]),
        (BATCH, {"batch": {"inputConfig": {"requests": {"requests": [{"request": {"model": "c"}}]}}}}, [], ["c"]),
        (BATCH_LINE, {"key": "k", "request": {"model": "b"}}, [], ["b"]),
        (CACHE, {"model": "models/a"}, ["models/a"], []),
        (LIVE, {"setup": {"model": "a"}}, ["a"], []),
        (INTERACTIONS, {"model": "a", "agent_config": {"model": "b"}}, ["a"], ["b"]),
        (INTERACTIONS, {"agent": "a"}, ["a"], []),
        (OPENAI_CHAT, {"model": "a"}, ["a"], []),
        (OPENAI_EMBEDDINGS, {"model": "a"}, ["a"], []),
    ],
)
def test_a_model_is_found_at_its_place(policy: Policy, body: Any, primary: list[str], others: list[str]) -> None:
    found = scanned(json.dumps(body).encode(), policy)

    assert [each.what for each in found if each.field.is_primary] == [ModelName(name) for name in primary]
    assert [each.what for each in found if not each.field.is_primary] == [ModelName(name) for name in others]


@pytest.mark.parametrize(
    ("policy", "body"),
    [
        (OPENAI_CHAT, {"metadata": {"model": "x"}, "messages": [{"model": "x"}], "x": {"model": "x"}}),
        (INTERACTIONS, {"input": [{"model": "x", "agent": "x"}], "generation_config": {"model": "x"}}),
        (GENERATE, {"contents": [{"parts": [{"functionCall": {"args": {"model": "x"}}}]}]}),
        (GENERATE, {"contents": [{"model": "x"}], "generationConfig": {"model": "x"}}),
        (LIVE, {"model": "x", "setup": {"setup": {"model": "x"}}, "clientContent": {"model": "x"}}),
        (CACHE, {"contents": [{"model": "x"}]}),
    ],
)
def test_a_nested_model_is_not_the_calls_model(policy: Policy, body: Any) -> None:
    assert whats(body, policy) == []


@pytest.mark.parametrize(
    ("policy", "body"),
    [
        (OPENAI_CHAT, {"Model": "a"}),
        (OPENAI_CHAT, {"mo_del": "a"}),
        (OPENAI_CHAT, {"serviceTier": "flex"}),
        (INTERACTIONS, {"Background": True}),
        (INTERACTIONS, {"generation_config": {"maxOutputTokens": 5}}),
        (GENERATE, {"service__tier": "flex"}),
        (GENERATE, {"generationConfig": {"MaxOutputTokens": 5}}),
    ],
)
def test_a_fact_in_another_spelling_is_refused(policy: Policy, body: Any) -> None:
    with pytest.raises(MalformedRequestError, match="Unknown name"):
        whats(body, policy)


@pytest.mark.parametrize(
    ("policy", "body", "word"),
    [
        (GENERATE, {"tools": [{"mcpServers": [{"name": "x"}]}]}, "ALLOW_MCP_SERVERS"),
        (GENERATE, {"tools": [{"mcp_servers": []}]}, "ALLOW_MCP_SERVERS"),
        (LIVE, {"setup": {"tools": [{"mcp_servers": "x"}]}}, "ALLOW_MCP_SERVERS"),
        (INTERACTIONS, {"tools": [{"type": "mcp_server", "url": "https://x.example"}]}, "ALLOW_MCP_SERVERS"),
        (INTERACTIONS, {"webhook_config": {"uris": []}}, "webhook_config"),
        (INTERACTIONS, {"webhook_config": "x" * 9_000}, "webhook_config"),
        (INTERACTIONS, {"environment": "x"}, "environment"),
        (INTERACTIONS, {"agent_config": {"session_id": "x"}}, "session_id"),
        (BATCH, {"batch": {"webhookConfig": {"uris": []}}}, "webhookConfig"),
        (GENERATE, {"credentials": 1}, "credentials"),
    ],
)
def test_closed_fields_are_refused_by_the_name_that_was_sent(policy: Policy, body: Any, word: str) -> None:
    with pytest.raises(ForbiddenError, match="not allowed") as refused:
        whats(body, policy)
    assert word in refused.value.detail


@pytest.mark.parametrize(
    ("policy", "body"),
    [
        (INTERACTIONS, {"environment": None, "webhook_config": None}),
        (GENERATE, {"tools": [{"mcpServers": None}]}),
        (INTERACTIONS, {"input": [{"environment": "x", "type": "text"}]}),
    ],
)
def test_closed_fields_without_a_value_pass(policy: Policy, body: Any) -> None:
    assert whats(body, policy) == []


@pytest.mark.parametrize(
    ("policy", "tool"),
    [
        (GENERATE, {"mcpServers": [{"streamableHttpTransport": {"url": "https://x.example/", "headers": {"a": "b"}}}]}),
        (INTERACTIONS, {"type": "mcp_server", "name": "x", "url": "https://x.example/mcp", "headers": {"a": "b"}}),
    ],
)
def test_mcp_servers_can_be_opened_without_https_urls(policy: Policy, tool: Any) -> None:
    body = json.dumps({"tools": [tool]}).encode()

    assert scanned(body, policy, ScanRules(allows_mcp_servers=True)) == []


def test_a_reference_in_a_list_of_a_tools_result_is_found() -> None:
    body = b'{"input": [{"type": "function_result", "result": [{"type": "image", "uri": ["files/abc"]}]}]}'

    assert [found.text for found in scanned(body, INTERACTIONS)] == ["files/abc"]
