"""Isolation: no client sees, uses, lists or deletes another client's objects, under any spelling of their names."""

import json
import secrets
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.closed_gateway import Closed
from tests.emulator_process import Emulator
from tests.native_bodies import planted

MODEL = "gemini-3.8-flash"
CALL = f"/v1beta/models/{MODEL}:generateContent"
PROMPT = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
GOOGLE = "https://generativelanguage.googleapis.com/v1beta/"


async def uploaded(closed: Closed, key: str, data: bytes = b"some text", **file: Any) -> dict[str, Any]:
    start = await closed.call(
        "POST",
        "/upload/v1beta/files",
        key,
        json={"file": {"mimeType": "text/plain", **file}},
        headers={
            "x-goog-upload-protocol": "resumable",
            "x-goog-upload-command": "start",
            "x-goog-upload-header-content-length": str(len(data)),
        },
    )
    assert start.status_code == 200, start.text
    answer = await closed.gateway.client.post(
        start.headers["x-goog-upload-url"],
        content=data,
        headers={"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"},
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["file"])


async def test_a_file_is_its_owners_alone(closed: Closed, emulator: Emulator) -> None:
    mine, other = await closed.key("mine"), await closed.key("other")
    name = (await uploaded(closed, mine))["name"]
    absent = "files/" + "z" * 40

    for path in (f"/v1beta/{name}", f"/v1/{name}", f"/v1beta/{name}:download?alt=media"):
        foreign = await closed.call("GET", path, other)
        missing = await closed.call("GET", path.replace(name, absent), other)
        assert foreign.status_code == missing.status_code == 403
        assert foreign.text.replace(name[6:], "") == missing.text.replace(absent[6:], "")
    assert (await closed.call("DELETE", f"/v1beta/{name}", other)).status_code == 403
    assert (await closed.call("GET", "/v1beta/files", other)).json() == {}
    assert (await closed.call("GET", f"/v1beta/{name}", mine)).status_code == 200
    assert len(emulator.files) == 1


async def test_another_clients_file_is_answered_like_a_missing_file(closed: Closed, emulator: Emulator) -> None:
    mine, other = await closed.key("mine"), await closed.key("other")
    name = (await uploaded(closed, mine))["name"]
    part = {"fileData": {"fileUri": GOOGLE + name, "mimeType": "text/plain"}}
    body = {"contents": [{"role": "user", "parts": [part]}]}

    async with httpx.AsyncClient(base_url=emulator.url) as client:
        told = await client.post(
            CALL, json=json.loads(json.dumps(body).replace(name[6:], "q" * 40)), headers={"x-goog-api-key": "k"}
        )
    answer = await closed.call("POST", CALL, other, json=body)

    assert answer.status_code == told.status_code == 403
    assert answer.json() == json.loads(told.text.replace("q" * 40, name[6:]))


async def test_a_clients_own_names_for_its_files_are_its_own(closed: Closed) -> None:
    mine, other = await closed.key("mine"), await closed.key("other")
    first = await uploaded(closed, mine, b"mine", name="files/talk")
    second = await uploaded(closed, other, b"others", name="talk")

    assert first["name"] == second["name"] == "files/talk"
    assert first["uri"] == GOOGLE + "files/talk"
    for key, size in ((mine, "4"), (other, "6")):
        assert (await closed.call("GET", "/v1beta/files/talk", key)).json()["sizeBytes"] == size
        body = {"contents": [{"parts": [{"fileData": {"fileUri": "files/talk", "mimeType": "text/plain"}}]}]}
        told = (await closed.call("POST", CALL, key, json=body)).json()
        assert f"text/plain {size} bytes" in told["candidates"][0]["content"]["parts"][0]["text"]
    taken = await closed.call(
        "POST",
        "/upload/v1beta/files",
        mine,
        json={"file": {"name": "talk"}},
        headers={"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"},
    )
    assert (taken.status_code, taken.json()["error"]["status"]) == (409, "ALREADY_EXISTS")
    assert (await closed.call("DELETE", "/v1beta/files/talk", mine)).json() == {}
    assert (await closed.call("GET", "/v1beta/files/talk", mine)).status_code == 403
    assert (await closed.call("GET", "/v1beta/files/talk", other)).status_code == 200


async def test_another_clients_name_at_gemini_is_no_way_to_its_file(closed: Closed, emulator: Emulator) -> None:
    mine, other = await closed.key("mine"), await closed.key("other")
    name = (await uploaded(closed, mine, b"a secret of mine"))["name"]

    await uploaded(closed, other, b"nothing", name=name)
    body = {"contents": [{"parts": [{"fileData": {"fileUri": GOOGLE + name, "mimeType": "text/plain"}}]}]}
    told = (await closed.call("POST", CALL, other, json=body)).json()

    assert "text/plain 7 bytes" in told["candidates"][0]["content"]["parts"][0]["text"]


async def test_files_of_both_surfaces_are_one_clients(closed: Closed) -> None:
    key = await closed.key("web")
    rest = (await closed.call("POST", "/api/v1/files", key, files=[("file", ("a.txt", b"over REST"))])).json()
    native = await uploaded(closed, key, b"natively", displayName="b.txt")

    listed = (await closed.call("GET", "/v1beta/files", key)).json()["files"]
    ids = (await closed.call("GET", "/api/v1/files", key)).json()["data"]

    assert [file["sizeBytes"] for file in listed] == ["8", "9"]
    assert [(file["filename"], file["size_bytes"]) for file in ids] == [("b.txt", 8), ("a.txt", 9)]
    form = [("prompt", (None, "What?")), ("file_id", (None, ids[0]["id"]))]
    assert "text/plain 8 bytes" in (await closed.call("POST", "/api/v1/generate", key, files=form)).json()["text"]
    assert (await closed.call("DELETE", f"/v1beta/{listed[1]['name']}", key)).json() == {}
    assert (await closed.call("GET", f"/api/v1/files/{rest['id']}", key)).status_code == 404
    assert native["name"] == listed[0]["name"]


async def test_lists_hold_the_clients_own_and_page(closed: Closed) -> None:
    mine, other = await closed.key("mine"), await closed.key("other")
    names = []
    for number in range(5):
        names.append((await uploaded(closed, mine, b"x" * (number + 1)))["name"])
        await uploaded(closed, other)

    pages, token = [], ""
    while True:
        page = (await closed.call("GET", f"/v1beta/files?pageSize=2&pageToken={token}", mine)).json()
        pages.append([file["name"] for file in page["files"]])
        token = page.get("nextPageToken", "")
        if not token:
            break

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [name for page in pages for name in page] == names[::-1]
    stolen = await closed.call("GET", f"/v1beta/files?pageToken={names[0][6:]}", other)
    assert stolen.json() == {}


async def made(closed: Closed, key: str) -> dict[str, str]:
    """Make one of each of a client's; gives their paths."""
    cache = await closed.call(
        "POST", "/v1beta/cachedContents", key, json={"model": f"models/{MODEL}", "ttl": "300s", **PROMPT}
    )
    batch = await closed.call(
        "POST",
        f"/v1beta/models/{MODEL}:batchGenerateContent",
        key,
        json={"batch": {"displayName": "b", "inputConfig": {"requests": {"requests": [{"request": PROMPT}]}}}},
    )
    interaction = await closed.call("POST", "/v1beta/interactions", key, json={"model": MODEL, "input": "Hello"})
    assert [answer.status_code for answer in (cache, batch, interaction)] == [200] * 3
    return {
        "cachedContents": cache.json()["name"],
        "batches": batch.json()["name"],
        "interactions": f"interactions/{interaction.json()['id']}",
    }


async def test_caches_batches_and_interactions_are_their_owners_alone(closed: Closed) -> None:
    mine, other = await closed.key("mine"), await closed.key("other")

    for collection, name in (await made(closed, mine)).items():
        absent = f"{collection}/{'z' * 20}"
        answers = {}
        for path in (name, absent):
            answers[path] = await closed.call("GET", f"/v1beta/{path}", other)
            assert (await closed.call("DELETE", f"/v1beta/{path}", other)).status_code == 404
        assert answers[name].status_code == 404
        assert answers[name].text.replace(name, "").replace(name.rpartition("/")[2], "") == answers[
            absent
        ].text.replace(absent, "").replace("z" * 20, "")
        assert (await closed.call("GET", f"/v1beta/{name}", mine)).status_code == 200
    assert (await closed.call("GET", "/v1beta/cachedContents", other)).json() == {}
    assert (await closed.call("GET", "/v1beta/batches", other)).json() == {}


async def test_a_created_cache_is_listed_changed_and_deleted_by_its_owner(closed: Closed) -> None:
    key = await closed.key("web")
    names = await made(closed, key)

    caches = (await closed.call("GET", "/v1beta/cachedContents", key)).json()["cachedContents"]
    batches = (await closed.call("GET", "/v1beta/batches", key)).json()["operations"]
    changed = await closed.call("PATCH", f"/v1beta/{names['cachedContents']}", key, json={"ttl": "9000s"})

    assert [cache["name"] for cache in caches] == [names["cachedContents"]]
    assert [batch["name"] for batch in batches] == [names["batches"]]
    assert changed.json()["expireTime"] > caches[0]["expireTime"]
    for name in names.values():
        assert (await closed.call("DELETE", f"/v1beta/{name}", key)).status_code == 200
        assert (await closed.call("GET", f"/v1beta/{name}", key)).status_code == 404


async def test_anothers_cache_and_interaction_cannot_be_used(closed: Closed, emulator: Emulator) -> None:
    mine, other = await closed.key("mine"), await closed.key("other")
    names = await made(closed, mine)
    cached = {**PROMPT, "cachedContent": names["cachedContents"]}
    going_on = {"model": MODEL, "input": "And?", "previous_interaction_id": names["interactions"].partition("/")[2]}

    refused = [
        await closed.call("POST", CALL, other, json=cached),
        await closed.call("POST", "/v1beta/interactions", other, json=going_on),
    ]
    passed = [
        await closed.call("POST", CALL, mine, json=cached),
        await closed.call("POST", "/v1beta/interactions", mine, json=going_on),
    ]

    assert [answer.status_code for answer in refused] == [403, 404]
    assert refused[1].json()["error"]["code"] == "not_found"
    assert [answer.status_code for answer in passed] == [200, 200]


LINES = b"\n".join(json.dumps({"key": f"r{number}", "request": PROMPT}).encode() for number in range(3))


async def batch_of(closed: Closed, key: str, name: str) -> Any:
    body = {"batch": {"displayName": "b", "inputConfig": {"fileName": name}}}
    return await closed.call("POST", f"/v1beta/models/{MODEL}:batchGenerateContent", key, json=body)


@pytest.mark.parametrize(
    "mime_type",
    [
        "application/vnd.google.generativeai.jsonl",
        "application/jsonl",
        "application/jsonlines",
        "application/octet-stream",
        "application/x-jsonl",
        "application/x-ndjson",
        "text/jsonl",
        "text/x-jsonl; charset=utf-8",
    ],
)
async def test_a_file_of_json_lines_is_read_by_a_batch_under_each_of_its_types(closed: Closed, mime_type: str) -> None:
    key = await closed.key("web")
    file = await uploaded(closed, key, LINES, mimeType=mime_type)

    assert (await batch_of(closed, key, file["name"])).status_code == 200


async def test_a_batch_of_a_file_gives_its_results_to_its_owner(closed: Closed) -> None:
    mine, other = await closed.key("mine"), await closed.key("other")
    file = await uploaded(closed, mine, LINES, mimeType="jsonl")

    batch = (await batch_of(closed, mine, file["name"])).json()
    done = (await closed.call("GET", f"/v1beta/{batch['name']}", mine)).json()
    results = done["metadata"]["output"]["responsesFile"]
    path = f"/v1beta/{results}:download?alt=media"

    assert len((await closed.call("GET", path, mine)).content.splitlines()) == 3
    assert (await closed.call("GET", path, other)).status_code == 403
    assert (await batch_of(closed, other, file["name"])).status_code == 403


@pytest.mark.parametrize("uri", ["files/{}", GOOGLE + "files/{}"])
async def test_no_line_of_a_batch_reaches_anothers_file(closed: Closed, emulator: Emulator, uri: str) -> None:
    mine, other = await closed.key("mine"), await closed.key("other")
    secret = (await uploaded(closed, mine, b"a secret"))["name"]
    part = {"fileData": {"fileUri": uri.format(secret[6:]), "mimeType": "text/plain"}}
    line = json.dumps({"key": "r", "request": {"contents": [{"parts": [part]}]}}).encode()
    file = await uploaded(closed, other, LINES + b"\n" + line, mimeType="jsonl")
    alias = await uploaded(closed, other, b"a decoy", name=secret)

    answer = await batch_of(closed, other, file["name"])

    assert alias["name"] == secret
    assert answer.status_code == 403
    assert emulator.requests("batchGenerateContent") == []


async def test_a_file_with_unscanned_lines_is_no_batch(closed: Closed) -> None:
    key = await closed.key("web")
    rest = await closed.call("POST", "/api/v1/files", key, files=[("file", ("lines.txt", LINES))])
    assert rest.status_code == 201
    name = (await closed.call("GET", "/v1beta/files", key)).json()["files"][0]["name"]
    broken = await uploaded(closed, key, LINES + b"\n{no json", mimeType="jsonl")

    answers = [await batch_of(closed, key, each) for each in (name, broken["name"])]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert "upload the file again" in answers[0].json()["error"]["message"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
async def test_no_foreign_reference_gets_through_in_any_place_or_spelling(
    closed: Closed, emulator: Emulator, data: st.DataObject
) -> None:
    key = await closed.key(secrets.token_hex(8))
    foreign = st.sampled_from(
        [
            "files/" + "f" * 40,
            GOOGLE + "files/" + "f" * 40,
            "cachedContents/foreign",
            "files/batch-foreign",
            "fileSearchStores/foreign/documents/one",
            "models/gemini-3.8-flash/operations/foreign",
            "batches/foreign",
            "interactions/foreign",
            "fileSearchStores/foreign",
            "tunedModels/foreign",
        ]
    )
    hidden = data.draw(planted(foreign).filter(lambda each: bool(each.references)))
    path = data.draw(
        st.sampled_from([CALL, "/v1beta/cachedContents", "/v1/interactions", "/v1alpha/openai/chat/completions"])
    )

    answer = await closed.gateway.client.post(
        path, content=hidden.body, headers={"x-goog-api-key": key, "content-type": "application/json"}
    )

    assert answer.status_code in {400, 403, 404}
    assert all(
        not emulator.requests(operation)
        for operation in ("generateContent", "caches.create", "interactions.create", "unknown")
    )


FOREIGN = "f" * 40
SPELLINGS = [
    f"files/{FOREIGN}",
    f"{GOOGLE}files/{FOREIGN}",
    f"{GOOGLE}files/{FOREIGN}?alt=media",
    f"{GOOGLE.upper()}files/{FOREIGN}",
    f"{GOOGLE.replace('https', 'http')}files/{FOREIGN}",
    f"Files/{FOREIGN}",
    f"files%2F{FOREIGN}",
    f"files//{FOREIGN}",
    f"files/./{FOREIGN}",
    f" files/{FOREIGN}",
    f"files/{FOREIGN}\n",
    " " * 9_000 + f"files/{FOREIGN}",
    f"files/{FOREIGN}" + "/" * 9_000,
    FOREIGN,
    f"gs://files/{FOREIGN}",
]
PLACES: dict[str, list[Callable[[str], dict[str, Any]]]] = {
    CALL: [
        lambda name: {"contents": [{"parts": [{"fileData": {"fileUri": name}}]}]},
        lambda name: {"contents": [{"parts": [{"file_data": {"file_uri": name}}]}]},
        lambda name: {"contents": [{"parts": [{"text": "a"}]}], "cachedContent": name},
        lambda name: {"contents": [{"parts": [{"text": "a"}]}], "cached_content": name},
        lambda name: {"contents": [], "systemInstruction": {"parts": [{"fileData": {"fileUri": name}}]}},
    ],
    "/v1beta/cachedContents": [
        lambda name: {"model": f"models/{MODEL}", "contents": [{"parts": [{"fileData": {"fileUri": name}}]}]},
    ],
    f"/v1beta/models/{MODEL}:batchGenerateContent": [
        lambda name: {"batch": {"displayName": "b", "inputConfig": {"fileName": name}}},
        lambda name: {"batch": {"display_name": "b", "input_config": {"file_name": name}}},
    ],
    "/v1beta/interactions": [
        lambda name: {"model": MODEL, "input": [{"type": "image", "uri": name}]},
        lambda name: {"model": MODEL, "input": "a", "previous_interaction_id": name},
    ],
}


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("spelling", SPELLINGS, ids=range(len(SPELLINGS)))
async def test_a_reference_field_with_a_foreign_bare_or_odd_name_reaches_no_object(
    closed: Closed, emulator: Emulator, path: str, spelling: str
) -> None:
    key = await closed.key("web")

    answers = [await closed.call("POST", path, key, json=place(spelling)) for place in PLACES[path]]

    assert {answer.status_code for answer in answers} <= {400, 403, 404}
    journal = ("generateContent", "caches.create", "batchGenerateContent", "interactions.create")
    assert not [request for name in journal for request in emulator.requests(name) if not request["aborted"]]
