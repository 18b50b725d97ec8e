"""Caches, batches, interactions, function calls and compression, on the wire."""

import json
import zlib

import httpx
import orjson
import pytest

from emulator_tests.integration.calls import MODEL, Emulator, Json, error_of, media_part, text_of, user

TOOL: Json = {
    "functionDeclarations": [
        {
            "name": "get_weather",
            "parameters": {
                "type": "OBJECT",
                "properties": {"city": {"type": "STRING"}, "days": {"type": "INTEGER", "minimum": 2}},
                "required": ["city", "days"],
            },
        }
    ]
}


def cache(emulator: Emulator, **more: object) -> Json:
    body = {"model": f"models/{MODEL}", "contents": [user("Once upon a time")], **more}
    answer = emulator.http.post("/v1beta/cachedContents", json=body)
    assert answer.status_code == 200, answer.text
    made: Json = answer.json()
    return made


def interact(emulator: Emulator, given: object, **more: object) -> httpx.Response:
    return emulator.http.post("/v1beta/interactions", json={"model": MODEL, "input": given, **more})


def output_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    text: str = answer.json()["steps"][-1]["content"][0]["text"]
    return text


def word_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_cached_picture_counts_as_cached(emulator: Emulator) -> None:
    made = cache(emulator, contents=[user("Look", media_part("shapes.png", "image/png"))])

    usage = emulator.call("generateContent", {"contents": [user("What?")], "cachedContent": made["name"]}).json()[
        "usageMetadata"
    ]

    assert usage["cacheTokensDetails"] == [
        {"modality": "TEXT", "tokenCount": 1},
        {"modality": "IMAGE", "tokenCount": 1120},
    ]
    assert usage["cachedContentTokenCount"] == made["usageMetadata"]["totalTokenCount"] == 1121
    assert usage["promptTokenCount"] == 1123


def test_a_cache_expires_by_the_clock(emulator: Emulator) -> None:
    name = cache(emulator, ttl="60s")["name"]
    emulator.advance(61)

    assert error_of(emulator.http.get(f"/v1beta/{name}"))[:2] == (404, "NOT_FOUND")
    answer = emulator.call("generateContent", {"contents": [user("What?")], "cachedContent": name})
    assert error_of(answer) == (403, "PERMISSION_DENIED", "CachedContent not found (or permission denied)")


def test_caches_come_in_pages_newest_first(emulator: Emulator) -> None:
    names = [cache(emulator)["name"] for _ in range(3)]

    first = emulator.http.get("/v1beta/cachedContents", params={"pageSize": 2}).json()
    rest = emulator.http.get("/v1beta/cachedContents", params={"pageToken": first["nextPageToken"]}).json()

    assert [one["name"] for one in first["cachedContents"] + rest["cachedContents"]] == names[::-1]
    assert "nextPageToken" not in rest


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "cachedContents"),
        ("POST", f"models/{MODEL}:batchGenerateContent"),
        ("POST", "models/gemini-embedding-2:asyncBatchEmbedContent"),
        ("POST", "interactions"),
    ],
)
def test_an_unknown_field_is_refused(emulator: Emulator, method: str, path: str) -> None:
    answer = emulator.http.request(method, f"/v1beta/{path}", json={"colour": "red"})

    assert answer.status_code == 400
    assert 'Unknown name "colour"' in answer.json()["error"]["message"]


def test_a_batch_passes_through_its_states(emulator: Emulator) -> None:
    emulator.bare.post("/emulator/reset")
    requests = [{"request": {"contents": [user("One")]}, "metadata": {"key": "r1"}}]
    body = {"batch": {"displayName": "b", "inputConfig": {"requests": {"requests": requests}}}}

    made = emulator.call("batchGenerateContent", body).json()
    emulator.advance(60)
    done = emulator.http.get(f"/v1beta/{made['name']}").json()

    assert (made["metadata"]["state"], "done" in made) == ("BATCH_STATE_PENDING", False)
    assert (done["metadata"]["state"], done["done"]) == ("BATCH_STATE_SUCCEEDED", True)
    (result,) = done["metadata"]["output"]["inlinedResponses"]["inlinedResponses"]
    assert result["metadata"] == {"key": "r1"}
    assert [one["name"] for one in emulator.bare.get("/emulator/state").json()["batches"]] == [made["name"]]


def test_a_batch_of_a_file_that_is_not_there_is_refused(emulator: Emulator) -> None:
    body = {"batch": {"inputConfig": {"fileName": "files/nowhere"}}}

    assert error_of(emulator.call("batchGenerateContent", body))[:2] == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize("spelling", ["{id}", "/cachedContents/{id}", "cachedcontents/{id}", "cachedContents/{id}?x"])
def test_a_cache_is_used_by_its_resource_name_only(emulator: Emulator, spelling: str) -> None:
    name = cache(emulator)["name"]
    other = spelling.format(id=name.removeprefix("cachedContents/"))

    refused = emulator.call("generateContent", {"contents": [user("What?")], "cachedContent": other})
    taken = emulator.call("generateContent", {"contents": [user("What?")], "cachedContent": name})

    assert error_of(refused)[:2] == (400, "INVALID_ARGUMENT")
    assert taken.status_code == 200


def test_a_file_is_named_by_its_resource_name_in_a_batch_and_in_a_part(emulator: Emulator) -> None:
    file = emulator.upload(b'{"key": "r1", "request": {"contents": [{"parts": [{"text": "One"}]}]}}\n', "text/plain")
    bare = file["name"].removeprefix("files/")
    part = {"fileData": {"fileUri": bare, "mimeType": "text/plain"}}

    batch = emulator.call("batchGenerateContent", {"batch": {"inputConfig": {"fileName": bare}}})
    call = emulator.call("generateContent", {"contents": [{"role": "user", "parts": [part]}]})

    assert [error_of(answer)[:2] for answer in (batch, call)] == [(400, "INVALID_ARGUMENT")] * 2


def test_a_function_is_called_with_arguments_that_fit(emulator: Emulator) -> None:
    config = {"functionCallingConfig": {"mode": "ANY"}}

    answer = emulator.call("generateContent", {"contents": [user("Hi")], "tools": [TOOL], "toolConfig": config}).json()

    (part,) = answer["candidates"][0]["content"]["parts"]
    assert part["functionCall"]["name"] == "get_weather"
    assert part["functionCall"]["args"]["days"] >= 2
    assert isinstance(part["functionCall"]["args"]["city"], str)


def test_a_function_that_is_not_named_is_not_called(emulator: Emulator) -> None:
    assert "prompt: Hi" in text_of(emulator.call("generateContent", {"contents": [user("Hi")], "tools": [TOOL]}))


def test_function_responses_are_repeated(emulator: Emulator) -> None:
    response: Json = {"functionResponse": {"name": "get_weather", "response": {"sky": "clear"}}}

    answer = emulator.call("generateContent", {"contents": [user("Weather?"), user(response)], "tools": [TOOL]})

    assert 'function get_weather returned: {"sky":"clear"}' in text_of(answer)


@pytest.mark.parametrize(
    "given",
    [
        "Hello",
        {"type": "text", "text": "Hello"},
        [{"type": "text", "text": "Hello"}],
        [{"type": "user_input", "content": [{"type": "text", "text": "Hello"}]}],
    ],
)
def test_an_interaction_takes_its_input_in_every_form(emulator: Emulator, given: object) -> None:
    assert output_of(interact(emulator, given)).endswith("prompt: Hello")


def test_an_interaction_that_is_not_stored_is_nowhere(emulator: Emulator) -> None:
    answer = interact(emulator, "Hello", store=False).json()

    assert word_of(emulator.http.get(f"/v1beta/interactions/{answer['id']}")) == (404, "not_found")
    assert word_of(interact(emulator, "Hi", previous_interaction_id=answer["id"])) == (404, "not_found")
    assert emulator.bare.get("/emulator/state").json()["interactions"] == []


def test_an_interactions_errors_have_their_own_shape(emulator: Emulator) -> None:
    foreign = {"type": "image", "mime_type": "image/png", "uri": "files/foreign"}

    assert word_of(interact(emulator, {"type": "smell"})) == (400, "invalid_request")
    assert word_of(interact(emulator, [foreign])) == (403, "permission_denied")
    assert word_of(emulator.bare.post("/v1beta/interactions", json={})) == (403, "permission_denied")


def test_an_interaction_in_the_background_can_be_cancelled_once(emulator: Emulator) -> None:
    made = interact(emulator, "Hello", background=True).json()
    path = f"/v1beta/interactions/{made['id']}/cancel"

    assert emulator.http.post(path).json()["status"] == "cancelled"
    assert word_of(emulator.http.post(path)) == (400, "invalid_request")


def test_an_interactions_input_is_given_back_with_its_media(emulator: Emulator) -> None:
    given = [
        {"type": "image", "mime_type": "image/png", "data": media_part("shapes.png", "image/png")["inlineData"]["data"]}
    ]
    made = interact(emulator, given).json()

    got = emulator.http.get(f"/v1beta/interactions/{made['id']}", params={"include_input": "true"}).json()

    assert got["input"] == [{"type": "user_input", "content": given}]


def test_an_interactions_stream_ends_as_the_reference_says(emulator: Emulator) -> None:
    answer = interact(emulator, "Hello", stream=True)

    frames = answer.text.split("\n\n")
    assert frames[0].startswith("event: interaction.created\ndata: {")
    assert frames[-2:] == ["event: done\ndata: [DONE]", ""]


def test_an_interactions_stream_breaks_with_an_error_inside(emulator: Emulator) -> None:
    emulator.plan({"operation": "interactions.create", "kind": "stream_error", "code": 503, "after_chunks": 2})

    frames = interact(emulator, "Hello", stream=True).text.split("\n\n")

    assert frames[2].startswith("event: error\n")
    assert orjson.loads(frames[2].partition("data: ")[2])["error"]["code"] == "unavailable"


@pytest.mark.parametrize("operation", ["caches.list", "batches.list", "interactions.create", "operations.get"])
def test_faults_hit_caches_batches_and_interactions(emulator: Emulator, operation: str) -> None:
    paths = {
        "caches.list": "/v1/cachedContents",
        "batches.list": "/v1/batches",
        "interactions.create": "/v1/interactions",
        "operations.get": f"/v1/models/{MODEL}/operations/x",
    }
    emulator.plan({"operation": operation, "kind": "status", "code": 503})
    method = "POST" if operation.endswith("create") else "GET"

    assert emulator.http.request(method, paths[operation]).status_code == 503
    assert emulator.requests()[-1]["operation"] == operation


@pytest.mark.parametrize("path", [f"models/{MODEL}/operations/x", "operations/x", "batches/x", "cachedContents/x"])
def test_missing_objects_are_not_found(emulator: Emulator, path: str) -> None:
    assert error_of(emulator.http.get(f"/v1alpha/{path}"))[:2] == (404, "NOT_FOUND")


def test_a_stream_is_compressed_piece_by_piece(emulator: Emulator) -> None:
    body = {"contents": [user("Hello " * 50)]}
    unpacker = zlib.decompressobj(wbits=31)
    url = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
    headers = {"Accept-Encoding": "gzip", "X-Emulator-Fault": json.dumps({"kind": "drip", "delay_s": 0.05})}

    with emulator.http.stream("POST", url, json=body, headers=headers) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        pieces = [unpacker.decompress(piece) for piece in answer.iter_raw()]

    assert len(pieces) > 3
    assert pieces[0].startswith(b"data: {")
    assert pieces[0].endswith(b"\r\n\r\n")


def test_a_reset_removes_stored_objects(emulator: Emulator) -> None:
    cache(emulator)
    interact(emulator, "Hello")
    emulator.bare.post("/emulator/reset")

    state = emulator.bare.get("/emulator/state").json()
    assert (state["caches"], state["interactions"], state["batches"]) == ([], [], [])
