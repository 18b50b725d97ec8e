"""The scanner: what it lets through is what came, and nothing that refers passes unseen."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ForbiddenError, MalformedRequestError
from app.native.scanning import (
    GENERATE,
    INTERACTIONS,
    LIVE,
    OPENAI,
    Found,
    Handle,
    JsonScanner,
    Kind,
    ModelName,
    Policy,
    Reference,
    Segment,
    Url,
    UrlKind,
)
from tests.native_bodies import VALUES, Planted, documents, pieces, planted

REFERENCES = st.sampled_from(
    [
        "files/abc",
        "files/a-b-c",
        "https://generativelanguage.googleapis.com/v1beta/files/abc",
        "https://generativelanguage.googleapis.com/v1/files/xyz",
        "cachedContents/c1",
        "batches/b1",
        "interactions/i1",
        "fileSearchStores/s-1",
        "tunedModels/t1",
        "Files/abc",
        "files%2Fabc",
        "/files/abc",
        "files/abc?x=1",
        "HTTPS://generativelanguage.googleapis.com/v1beta/files/abc",
        "https://generativelanguage.googleapis.com:443/v1beta/files/abc",
        "gs://bucket/object",
        "https://example.com/picture.png",
    ]
)


def scanned(body: bytes, policy: Policy = GENERATE) -> list[Segment]:
    scanner = JsonScanner(policy)
    return [*scanner.feed(body), *scanner.end()]


def found(segments: list[Segment]) -> list[Found]:
    return [segment for segment in segments if isinstance(segment, Found)]


def joined(segments: list[Segment]) -> bytes:
    return b"".join(segment.raw if isinstance(segment, Found) else segment for segment in segments)


@given(st.data(), VALUES)
def test_what_comes_out_is_what_came_in_however_it_was_written_and_cut(data: st.DataObject, value: Any) -> None:
    body = data.draw(documents(value)).encode()
    scanner = JsonScanner(GENERATE)

    segments = [segment for piece in data.draw(pieces(body)) for segment in scanner.feed(piece)] + scanner.end()

    assert joined(segments) == body


@given(st.data(), planted(REFERENCES))
def test_every_reference_is_found_in_every_place_and_spelling(data: st.DataObject, hidden: Planted) -> None:
    scanner = JsonScanner(GENERATE)

    segments = [segment for piece in data.draw(pieces(hidden.body)) for segment in scanner.feed(piece)]
    segments += scanner.end()

    assert [each.text for each in found(segments)] == list(hidden.references)
    assert joined(segments) == hidden.body


@given(planted(REFERENCES))
def test_byte_by_byte_it_finds_the_same(hidden: Planted) -> None:
    scanner = JsonScanner(GENERATE)

    segments = [segment for byte in hidden.body for segment in scanner.feed(bytes([byte]))] + scanner.end()

    assert found(segments) == found(scanned(hidden.body))


@given(st.data(), planted(REFERENCES))
def test_it_goes_on_where_another_stood(data: st.DataObject, hidden: Planted) -> None:
    scanner = JsonScanner(GENERATE)
    segments: list[Segment] = []
    for piece in data.draw(pieces(hidden.body)):
        segments += scanner.feed(piece)
        scanner = JsonScanner.restore(scanner.save())
    segments += scanner.end()

    assert joined(segments) == hidden.body
    assert [each.text for each in found(segments)] == list(hidden.references)


@given(planted(REFERENCES), st.data())
def test_no_byte_of_what_refers_leaves_before_it_is_found(hidden: Planted, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(hidden.body)))
    scanner = JsonScanner(GENERATE)

    passed = b"".join(segment for segment in scanner.feed(hidden.body[:cut]) if isinstance(segment, bytes))

    assert hidden.body.startswith(passed) or found(scanned(hidden.body))


def is_json(text: bytes) -> bool:
    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        value = json.loads(text.decode(), parse_constant=refuse)
    except ValueError:
        return False
    return not (isinstance(value, float) and math.isinf(value))


@given(st.data(), VALUES)
def test_what_is_no_json_is_refused(data: st.DataObject, value: Any) -> None:
    body = bytearray(data.draw(documents(value)).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(0, len(body) - 1)))
        how = data.draw(st.integers(0, 2))
        byte = data.draw(st.sampled_from(b'{}[]",:\\u0123eE+-. ntf\x00\x1f\x80\xff'))
        if how == 0:
            body[at : at + 1] = bytes([byte])
        elif how == 1:
            body[at:at] = bytes([byte])
        else:
            del body[at : at + 1]

    try:
        scanned(bytes(body))
    except MalformedRequestError:
        return
    assert is_json(bytes(body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"[1,]",
        b'{"a":1,}',
        b"{'a':1}",
        b"{a:1}",
        b'{"a":NaN}',
        b"[Infinity]",
        b"[01]",
        b"[+1]",
        b"[.5]",
        b"[1.]",
        b'{"a":1}{}',
        b'{"a":1} x',
        b"[1 2]",
        b'["a" "b"]',
        b'["\x01"]',
        b'["\\x"]',
        b'["\\u12"]',
        b'["\xff"]',
        b'{"a":"\xc3"}',
        b"\xef\xbb\xbf{}",
        b'{"a" 1}',
        b'{"a":}',
        b"[/* no */1]",
        b"// no\n{}",
        b'["\\ud800"]',
        b'{"\\udc00": 1}',
        b"[" * 101 + b"]" * 101,
        b'{"' + b"k" * 2_000 + b'": 1}',
        b"[" + b"1" * 500 + b"]",
    ],
)
def test_json_is_strict(body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        scanned(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"fileUri": 1, "file_uri": 2}',
        b'{"fileUri": 1, "file\\u005furi": 2}',
        b'{"fileUri": 1, "FileUri": 2}',
        b'{"a": 1, "b": {"x": 1}, "a": 2}',
        b'{"text": "a", "te\\u0078t": "b"}',
    ],
)
def test_a_name_stands_once_in_an_object_however_it_is_spelled(body: bytes) -> None:
    with pytest.raises(MalformedRequestError, match="twice"):
        scanned(body)


def test_the_clients_own_maps_may_have_names_that_fold_to_one() -> None:
    body = b'{"labels": {"a_b": "1", "ab": "2"}, "args": {"x_y": 1, "xY": {"a_b": 1, "aB": 2}}}'

    assert scanned(body) == [body]


@pytest.mark.parametrize(
    "body",
    [
        b'{"text": "files/abc"}',
        b'{"inlineData": {"mimeType": "text/plain", "data": "files/abc"}}',
        b'{"systemInstruction": "files/abc"}',
        b'{"description": "files/abc", "title": "gs://x", "displayName": "files/abc"}',
        b'{"labels": {"a": "files/abc", "b": ["files/abc"]}}',
        b'{"functionCall": {"name": "f", "args": {"file": "files/abc", "deep": [{"x": "gs://x/y"}]}}}',
        b'{"functionResponse": {"name": "f", "response": {"file": "files/abc"}}}',
        b'{"parameters": {"description": "files/abc", "properties": {"fileUri": {"type": "files/abc"}}}}',
        b'{"responseSchema": {"enum": ["files/abc"]}, "response_json_schema": {"const": "files/abc"}}',
    ],
)
def test_free_text_is_nobodys_reference(body: bytes) -> None:
    assert found(scanned(body)) == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"functionResponse": {"response": {}, "parts": [{"fileData": {"fileUri": "files/abc"}}]}}',
        b'{"text": {"fileUri": "files/abc"}}',
        b'{"data": ["files/abc"]}',
        b'{"content": {"parts": [{"fileData": {"fileUri": "files/abc"}}]}}',
        b'{"input": ["files/abc"]}',
        b'{"description": {"x": "files/abc"}}',
        b'{"title": ["files/abc"]}',
        b'{"mimeType": "files/abc"}',
        b'["files/abc"]',
        b'"files/abc"',
        b'{"inputConfig": {"file_name": "files/abc"}}',
    ],
)
def test_a_free_name_frees_only_what_it_is_for(body: bytes) -> None:
    assert [each.what for each in found(scanned(body))] == [Reference(Kind.FILE, "abc")]


def test_models_and_handles_are_shown_where_a_surface_asks_for_them() -> None:
    body = b'{"model": "gemini-2.0-flash", "previous_interaction_id": "v1_abc", "input": "files/abc"}'

    assert [each.what for each in found(scanned(body, INTERACTIONS))] == [
        ModelName("gemini-2.0-flash"),
        Handle("v1_abc"),
    ]


def test_openais_embeddings_are_texts() -> None:
    assert found(scanned(b'{"input": ["files/abc", "https://x.example/y"]}', OPENAI)) == []


def test_openais_pictures_may_be_as_long_as_they_like() -> None:
    body = b'{"image_url": {"url": "data:image/png;base64,%b"}}' % (b"A" * 100_000)

    assert joined(scanned(body, OPENAI)) == body
    assert found(scanned(body, OPENAI)) == []


@pytest.mark.parametrize("start", ["files/", "gs://", "https://x.example/", "cachedContents/"])
def test_a_name_longer_than_any_is_refused(start: str) -> None:
    with pytest.raises(MalformedRequestError, match="longer"):
        scanned(json.dumps({"fileUri": start + "a" * 10_000}).encode())


@pytest.mark.parametrize(
    ("body", "policy"),
    [
        (b'{"tools": [{"mcpServers": [{"url": "https://x.example"}]}]}', GENERATE),
        (b'{"tools": [{"type": "mcp_server", "url": "https://x.example"}]}', INTERACTIONS),
        (b'{"webhook_config": {"uris": []}}', INTERACTIONS),
        (b'{"environment": "x"}', INTERACTIONS),
        (b'{"setup": {"tools": [{"mcp_servers": []}]}}', LIVE),
    ],
)
def test_what_would_reach_past_the_gateway_is_closed(body: bytes, policy: Policy) -> None:
    with pytest.raises(ForbiddenError, match="closed"):
        scanned(body, policy)


def test_what_bears_on_cost_is_seen_on_the_way() -> None:
    scanner = JsonScanner(INTERACTIONS)
    scanner.feed(
        b'{"store": false, "background": true, "stream": true, "service_tier": "FLEX", "input": "12345678",'
        b'"generation_config": {"max_output_tokens": 100, "candidateCount": 2},'
        b'"x": [{"data": "AAAA", "mime_type": "image/png"}, {"mimeType": "image/PNG", "data": "BBBBBBBB"},'
        b'{"data": "CC"}]}'
    )
    scanner.end()

    facts = scanner.facts
    assert (facts.store, facts.is_background, facts.stream, facts.service_tier) == (False, True, True, "flex")
    assert (facts.max_output_tokens, facts.candidates, facts.text_bytes) == (100, 2, 8)
    assert (facts.media_bytes, facts.media_count) == ({"image/png": 12, "": 2}, {"image/png": 2, "": 1})


@pytest.mark.parametrize("text", [b"a", b"a" * 9_000], ids=["short", "long"])
def test_a_string_may_be_the_whole_document(text: bytes) -> None:
    body = b'"%b"' % text

    assert b"".join(part for part in scanned(body) if isinstance(part, bytes)) == body


def test_errors_tell_where_and_nothing_of_what_came() -> None:
    with pytest.raises(MalformedRequestError) as refused:
        scanned(b'{"contents": [{"parts": [{"text": "a secret", "inlineData" 5}]}]}')

    assert "at byte 46 (below contents.parts)" in refused.value.detail
    assert "secret" not in refused.value.detail


def test_youtube_is_told_from_other_addresses() -> None:
    body = b'["https://www.youtube.com/watch?v=abc", "https://youtu.be/abc", "https://x.example/watch?v=youtube.com"]'

    assert [each.what for each in found(scanned(body))] == [
        Url(UrlKind.YOUTUBE),
        Url(UrlKind.YOUTUBE),
        Url(UrlKind.HTTPS),
    ]
