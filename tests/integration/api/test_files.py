"""Files by themselves: upload, find, list, wait, delete."""

import hashlib
from pathlib import Path

import pytest

from tests.emulator_process import Emulator
from tests.gateway import Gateway, media, running_gateway
from tests.raw_http import chunked, connection
from tests.stores import change

PDF = media("report.pdf")[1]


async def test_an_upload_answers_with_the_file(gateway: Gateway) -> None:
    answer = await gateway.post_form("/api/v1/files", ("file", ("report.pdf", PDF, "application/pdf")))

    file = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/v1/files/{file['id']}"
    assert file["filename"] == "report.pdf"
    assert file["mime_type"] == "application/pdf"
    assert file["size_bytes"] == len(PDF)
    assert file["sha256"] == hashlib.sha256(PDF).hexdigest()
    assert file["state"] == "active"
    assert file["media"] == {"width": None, "height": None, "duration": None, "pages": 3}


async def test_a_name_may_be_given(gateway: Gateway) -> None:
    answer = await gateway.post_form("/api/v1/files", ("filename", "other.pdf"), ("file", ("report.pdf", PDF)))

    assert answer.json()["filename"] == "other.pdf"


@pytest.mark.parametrize("path", ["/api/v1/files/raw/Gr%C3%BC%C3%9Fe.pdf", "/api/v1/files/raw/a.pdf"])
async def test_a_raw_body_is_a_file(gateway: Gateway, path: str) -> None:
    answer = await gateway.client.put(path, content=PDF)

    assert answer.status_code == 201
    assert answer.json()["filename"] in {"Grüße.pdf", "a.pdf"}
    assert answer.json()["sha256"] == hashlib.sha256(PDF).hexdigest()


async def test_a_raw_body_may_come_in_chunks_of_unknown_length(gateway: Gateway) -> None:
    request = b"PUT /api/v1/files/raw/a.pdf HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"

    async with connection(gateway.port) as line:
        await line.send(request + chunked([PDF[:1_000], PDF[1_000:]]))
        answer = await line.answer()

    assert (answer.status, answer.json["size_bytes"]) == (201, len(PDF))


async def test_a_file_can_be_asked_about_in_any_number_of_calls(gateway: Gateway, emulator: Emulator) -> None:
    file = (await gateway.post_form("/api/v1/files", ("file", ("report.pdf", PDF)))).json()

    answers = [await gateway.generate(("prompt", "x"), ("file_id", file["id"])) for _ in range(2)]

    assert all(f"sha256={file['sha256']}" in answer.json()["text"] for answer in answers)
    assert answers[0].json()["files"][0]["delivery"] == "referenced"
    assert answers[0].json()["files"][0]["id"] == file["id"]
    assert len(emulator.files) == 1


async def test_a_file_kept_by_a_call_can_be_asked_about_too(gateway: Gateway) -> None:
    kept = (await gateway.generate(("prompt", "x"), ("file", ("report.pdf", PDF)), ("keep_file", "true"))).json()

    answer = await gateway.generate(("prompt", "y"), ("file_id", kept["files"][0]["id"]))

    assert kept["files"][0]["delivery"] == "uploaded"
    assert f"sha256={kept['files'][0]['sha256']}" in answer.json()["text"]


async def test_files_outlive_the_process(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path) as gateway:
        file = (await gateway.post_form("/api/v1/files", ("file", ("report.pdf", PDF)))).json()

    async with running_gateway(emulator.url, tmp_path) as gateway:
        assert (await gateway.client.get(f"/api/v1/files/{file['id']}")).json() == file


async def test_lists_are_newest_first_and_page_without_gap_or_repeat(gateway: Gateway) -> None:
    ids = []
    for number in range(5):
        answer = await gateway.post_form("/api/v1/files", ("file", (f"{number}.txt", b"text %d" % number)))
        ids.append(answer.json()["id"])
    seen, after = [], ""

    while True:
        page = (await gateway.client.get("/api/v1/files", params={"limit": 2, "after": after})).json()
        seen += [file["id"] for file in page["data"]]
        if not page["has_more"]:
            break
        after = page["next"]

    assert seen == ids[::-1]
    assert page["next"] is None


async def test_lists_can_be_narrowed(gateway: Gateway) -> None:
    file = (await gateway.post_form("/api/v1/files", ("file", ("report.pdf", PDF)))).json()
    await gateway.post_form("/api/v1/files", ("file", ("b.txt", b"text")))

    async def found(**query: str) -> list[str]:
        return [item["id"] for item in (await gateway.client.get("/api/v1/files", params=query)).json()["data"]]

    assert await found(sha256=file["sha256"]) == [file["id"]]
    assert await found(filename="report.pdf") == [file["id"]]
    assert await found(state="failed") == []
    assert len(await found(state="active")) == 2


async def test_a_video_is_processing_until_it_is_active(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("files.finalize", "processing", delay_s=0.3, then="ACTIVE")
    file = (await gateway.post_form("/api/v1/files", ("file", media("scenes.mp4")))).json()

    waited = (await gateway.client.get(f"/api/v1/files/{file['id']}?wait=30")).json()

    assert file["state"] == "processing"
    assert waited["state"] == "active"
    assert waited["media"]["duration"] == pytest.approx(6, abs=0.1)


async def test_a_wait_that_runs_out_is_no_error(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("files.finalize", "processing", delay_s=600, then="ACTIVE")
    file = (await gateway.post_form("/api/v1/files", ("file", media("scenes.mp4")))).json()

    answer = await gateway.client.get(f"/api/v1/files/{file['id']}?wait=0.2")

    assert (answer.status_code, answer.json()["state"]) == (200, "processing")


async def test_a_failed_file_has_the_state_failed(gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("files.finalize", "processing", delay_s=0, then="FAILED")
    file = (await gateway.post_form("/api/v1/files", ("file", media("scenes.mp4")))).json()

    answer = await gateway.client.get(f"/api/v1/files/{file['id']}?wait=5")

    assert (answer.status_code, answer.json()["state"]) == (200, "failed")
    assert answer.json()["error"]


async def test_a_deleted_file_is_gone_here_and_at_gemini(gateway: Gateway, emulator: Emulator) -> None:
    file = (await gateway.post_form("/api/v1/files", ("file", ("report.pdf", PDF)))).json()
    path = f"/api/v1/files/{file['id']}"

    deleted = [(await gateway.client.delete(path)).status_code for _ in range(2)]

    assert deleted == [204, 204]
    assert emulator.files == []
    assert (await gateway.client.get(path)).json()["code"] == "file-not-found"
    assert (await gateway.generate(("file_id", file["id"]))).status_code == 404


async def test_deleting_an_unknown_file_is_404(gateway: Gateway) -> None:
    assert (await gateway.client.delete("/api/v1/files/file_unknown")).status_code == 404


async def test_known_bytes_get_a_new_id_over_the_same_upstream_file(gateway: Gateway, emulator: Emulator) -> None:
    first = (await gateway.post_form("/api/v1/files", ("file", ("a.pdf", PDF)))).json()
    second = (await gateway.post_form("/api/v1/files", ("file", ("b.pdf", PDF)))).json()

    assert first["id"] != second["id"]
    assert len(emulator.files) == 1
    await gateway.client.delete(f"/api/v1/files/{first['id']}")
    assert len(emulator.files) == 1
    assert (await gateway.generate(("file_id", second["id"]))).status_code == 200
    await gateway.client.delete(f"/api/v1/files/{second['id']}")
    assert emulator.files == []


async def test_another_owners_file_does_not_exist(gateway: Gateway, emulator: Emulator, tmp_path: Path) -> None:
    file = (await gateway.post_form("/api/v1/files", ("file", ("a.pdf", PDF)))).json()
    await change(tmp_path, "UPDATE files SET owner = 'somebody else'", "UPDATE uploads SET owner = 'somebody else'")
    path = f"/api/v1/files/{file['id']}"

    answers = [
        await gateway.client.get(path),
        await gateway.client.delete(path),
        await gateway.generate(("file_id", file["id"])),
        await gateway.client.get("/api/v1/files/file_never_was"),
    ]

    assert [(a.status_code, a.json()["code"]) for a in answers] == [(404, "file-not-found")] * 4
    assert (await gateway.client.get("/api/v1/files")).json()["data"] == []
    assert len(emulator.files) == 1
    other = (await gateway.post_form("/api/v1/files", ("file", ("a.pdf", PDF)))).json()
    assert len(emulator.files) == 2
    assert other["id"] != file["id"]


async def test_googles_name_of_the_clients_own_file_is_a_file_id(gateway: Gateway, tmp_path: Path) -> None:
    headers = {"x-goog-upload-protocol": "raw", "content-type": "application/pdf"}
    native = await gateway.client.post("/upload/v1beta/files", content=PDF, headers=headers)
    name = native.json()["file"]["name"]
    content = [{"file_id": name}, {"text": "Read it."}]

    answers = [
        await gateway.generate(("file_id", name), ("prompt", "Read it.")),
        await gateway.client.post("/api/v1/chat", json={"messages": [{"role": "user", "content": content}]}),
        await gateway.post_form("/api/v1/documents/markdown", ("file_id", name)),
    ]
    await change(tmp_path, "UPDATE files SET owner = 'somebody else'", "UPDATE uploads SET owner = 'somebody else'")
    foreign = await gateway.generate(("file_id", name), ("prompt", "Read it."))

    assert [answer.status_code for answer in answers] == [200, 200, 200], [answer.text for answer in answers]
    assert (foreign.status_code, foreign.json()["code"]) == (404, "file-not-found")


async def test_a_file_that_gemini_has_lost_is_not_found_and_its_row_closed(
    gateway: Gateway, emulator: Emulator
) -> None:
    file = (await gateway.post_form("/api/v1/files", ("file", ("a.pdf", PDF)))).json()
    emulator.reset()

    answer = await gateway.generate(("prompt", "x"), ("file_id", file["id"]))

    assert (answer.status_code, answer.json()["code"]) == (404, "file-not-found")
    assert (await gateway.client.get(f"/api/v1/files/{file['id']}")).status_code == 404


async def test_exactly_one_file_is_accepted(gateway: Gateway, emulator: Emulator) -> None:
    none = await gateway.post_form("/api/v1/files", ("filename", "x"))
    two = await gateway.post_form("/api/v1/files", ("file", ("a.pdf", PDF)), ("file", ("b.pdf", PDF)))

    assert [answer.status_code for answer in (none, two)] == [422, 422]
    assert emulator.files == []


async def test_claims_may_follow_the_file(gateway: Gateway, emulator: Emulator) -> None:
    digest = hashlib.sha256(PDF).hexdigest()
    right = await gateway.post_form(
        "/api/v1/files", ("file", ("a.pdf", PDF)), ("file_size", str(len(PDF))), ("sha256", digest)
    )
    wrong_size = await gateway.post_form("/api/v1/files", ("file", ("a.pdf", PDF + b" ")), ("file_size", "1"))
    wrong_hash = await gateway.post_form("/api/v1/files", ("file", ("a.pdf", PDF + b" ")), ("sha256", "0" * 64))

    assert right.status_code == 201
    assert [answer.json()["code"] for answer in (wrong_size, wrong_hash)] == ["wrong-claim"] * 2
    assert len(emulator.files) == 1
