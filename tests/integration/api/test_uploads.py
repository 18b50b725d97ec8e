"""Uploads through to Gemini: their lengths, their failures, and the files left over."""

import asyncio
import hashlib
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.gemini import credentials
from app.settings import Settings
from tests.emulator_process import Emulator, emulator_process
from tests.gateway import Gateway, media, running_gateway
from tests.integration.api.test_inline_or_upload import sound
from tests.raw_http import chunked, connection, head, part
from tests.stores import change
from tests.waiting import eventually

CHUNK = 262_144
DATA = sound(4 * CHUNK + 1_000)


async def upload(gateway: Gateway) -> dict[str, object]:
    answer = await gateway.generate(
        ("prompt", "x"), ("file_size", str(len(DATA))), ("file", ("a.wav", DATA)), ("keep_file", "yes")
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["files"][0])


@pytest.mark.parametrize("kind", ["lost_ack", "unavailable_ack", "cut"])
async def test_a_chunk_without_a_clear_answer_is_settled_by_query(
    small_gateway: Gateway, emulator: Emulator, kind: str
) -> None:
    more = {"after_bytes": 0} if kind == "cut" else {}
    emulator.fault("files.upload", kind, skip=1, **more)

    file = await upload(small_gateway)

    assert file["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert emulator.files[0]["sizeBytes"] == str(len(DATA))
    assert len(emulator.requests("files.query")) == 1


async def test_a_chunk_with_a_lost_acknowledgement_is_not_sent_twice(
    small_gateway: Gateway, emulator: Emulator
) -> None:
    emulator.fault("files.upload", "lost_ack", skip=1)

    await upload(small_gateway)

    sent = sum(request["body_bytes"] for request in emulator.requests("files.upload"))
    assert sent < len(DATA)


async def test_a_chunk_that_arrived_in_part_goes_on_from_there(emulator: Emulator, tmp_path: Path) -> None:
    emulator.fault("files.upload", "partial", bytes=CHUNK)

    async with running_gateway(emulator.url, tmp_path, inline_limit_bytes=1_000, chunk_bytes=2 * CHUNK) as gateway:
        file = await upload(gateway)

    assert file["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert emulator.files[0]["sizeBytes"] == str(len(DATA))


@pytest.mark.parametrize("kind", ["lost_ack", "unavailable_ack"])
async def test_a_lost_answer_to_finalize_is_settled(small_gateway: Gateway, emulator: Emulator, kind: str) -> None:
    emulator.fault("files.finalize", kind)

    file = await upload(small_gateway)

    assert file["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert len(emulator.files) == 1


@pytest.mark.parametrize("cut", [{"after_bytes": 1}, {"after_bytes": 200}, {}])
async def test_an_answer_to_finalize_in_pieces_is_read_to_its_end(
    small_gateway: Gateway, emulator: Emulator, cut: dict[str, int]
) -> None:
    emulator.fault("files.finalize", "split", delay_s=0.02, **cut)

    file = await upload(small_gateway)

    assert file["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert emulator.requests("files.query") == []


@pytest.mark.parametrize("kind", ["unavailable_ack", "dead_session"])
async def test_after_a_lost_finalize_and_query_a_file_is_found_by_name(
    small_gateway: Gateway, emulator: Emulator, kind: str
) -> None:
    emulator.fault("files.finalize", "lost_ack")
    emulator.fault("files.query", kind)

    file = await upload(small_gateway)

    assert file["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert len(emulator.files) == 1
    assert len(emulator.requests("files.finalize")) == 1


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (
            {"code": 400, "message": "API key not valid.", "details": [{"reason": "API_KEY_INVALID"}]},
            "upstream-credentials",
        ),
        ({"code": 429, "message": "Storage is full: storage limit exceeded."}, "file-quota"),
        ({"code": 429, "message": "Slow down.", "retry_delay_s": 7}, "rate-limited"),
    ],
)
async def test_a_refused_start_in_two_pieces_keeps_its_reason(
    small_gateway: Gateway, emulator: Emulator, fault: dict[str, Any], code: str
) -> None:
    emulator.fault("files.start", "status", **fault)
    emulator.fault("files.start", "split", after_bytes=20, delay_s=0.05)

    answer = await small_gateway.post_form("/api/v1/files", ("file", ("a.wav", DATA)))

    assert answer.json()["code"] == code


async def test_three_failures_without_progress_end_the_request(small_gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("files.upload", "unavailable_ack", count=10)

    answer = await small_gateway.generate(("file", ("a.wav", DATA)))

    assert (answer.status_code, answer.json()["code"]) == (502, "upload-failed")
    await eventually(lambda: not emulator.open_sessions() and not emulator.files)


async def test_a_dead_session_ends_the_request(small_gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("files.upload", "dead_session")

    answer = await small_gateway.generate(("file", ("a.wav", DATA)))

    assert (answer.status_code, answer.json()["code"]) == (502, "upload-failed")


async def test_an_upload_by_a_call_is_deleted_after_the_answer(small_gateway: Gateway, emulator: Emulator) -> None:
    answer = await small_gateway.generate(("prompt", "x"), ("file", ("a.wav", DATA)))

    assert answer.json()["files"][0]["delivery"] == "uploaded"
    assert answer.json()["files"][0]["id"] is None
    await eventually(lambda: not emulator.files)
    assert (await small_gateway.client.get("/api/v1/files")).json()["data"] == []


async def test_a_refused_unknown_length_is_411_with_advice(tmp_path: Path) -> None:
    with emulator_process(EMULATOR_REFUSE_UNKNOWN_LENGTH="true") as emulator:
        async with running_gateway(emulator.url, tmp_path, inline_limit_bytes=1_000) as gateway:
            refused = [await gateway.generate(("file", ("a.wav", DATA))) for _ in range(2)]
            starts = len(emulator.requests("files.start"))
            answer = await gateway.generate(("file_size", str(len(DATA))), ("file", ("a.wav", DATA)))

    assert [(r.status_code, r.json()["code"]) for r in refused] == [(411, "length-required")] * 2
    assert "file_size" in refused[0].json()["detail"]
    assert starts == 1
    assert answer.status_code == 200, answer.text


async def test_an_unknown_length_is_not_declared(small_gateway: Gateway, emulator: Emulator) -> None:
    await small_gateway.generate(("file", ("a.wav", DATA)))

    assert emulator.sessions[0]["declared"] is None


@pytest.mark.parametrize("claimed", [len(DATA) - 1, len(DATA) + 1])
async def test_a_wrong_file_size_is_refused_and_leaves_no_file(
    small_gateway: Gateway, emulator: Emulator, claimed: int
) -> None:
    answer = await small_gateway.generate(("file_size", str(claimed)), ("file", ("a.wav", DATA)))

    assert (answer.status_code, answer.json()["code"]) == (400, "wrong-claim")
    await eventually(lambda: not emulator.open_sessions())
    assert emulator.files == []


@pytest.mark.parametrize("limit", [1_000, 20_000_000])
async def test_a_wrong_sha256_is_refused_and_leaves_no_file(emulator: Emulator, tmp_path: Path, limit: int) -> None:
    async with running_gateway(emulator.url, tmp_path, inline_limit_bytes=limit) as gateway:
        answer = await gateway.generate(("sha256", "0" * 64), ("file", ("a.wav", DATA)))

    assert (answer.status_code, answer.json()["code"]) == (400, "wrong-claim")
    await eventually(lambda: not emulator.open_sessions())
    assert emulator.files == []


async def test_a_file_recognised_at_its_end_is_reused(small_gateway: Gateway, emulator: Emulator) -> None:
    kept = (await small_gateway.post_form("/api/v1/files", ("file", ("a.wav", DATA)))).json()

    answer = (await small_gateway.generate(("file", ("b.wav", DATA)))).json()

    assert answer["files"][0]["delivery"] == "reused"
    assert answer["files"][0]["id"] == kept["id"]
    await eventually(lambda: not emulator.open_sessions())
    assert len(emulator.files) == 1


async def test_a_file_with_a_known_sha256_is_not_uploaded(small_gateway: Gateway, emulator: Emulator) -> None:
    await small_gateway.post_form("/api/v1/files", ("file", ("a.wav", DATA)))
    sessions = len(emulator.sessions)

    answer = await small_gateway.generate(
        ("sha256", hashlib.sha256(DATA).hexdigest().upper()), ("file", ("b.wav", DATA))
    )

    assert answer.json()["files"][0]["delivery"] == "reused"
    assert len(emulator.sessions) == sessions


async def test_a_known_hash_with_other_bytes_is_refused(small_gateway: Gateway) -> None:
    await small_gateway.post_form("/api/v1/files", ("file", ("a.wav", DATA)))

    answer = await small_gateway.generate(
        ("sha256", hashlib.sha256(DATA).hexdigest()), ("file", ("b.wav", DATA[:-1] + b"?"))
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "wrong-claim")


async def test_a_file_that_gemini_cannot_process_is_file_failed(small_gateway: Gateway, emulator: Emulator) -> None:
    emulator.fault("files.finalize", "processing", delay_s=0.2, then="FAILED")

    answer = await small_gateway.generate(("prompt", "x"), ("file", media("scenes.mp4")))

    assert (answer.status_code, answer.json()["code"]) == (422, "file-failed")
    await eventually(lambda: not emulator.files)


async def test_a_file_that_stays_processing_is_file_not_ready(emulator: Emulator, tmp_path: Path) -> None:
    emulator.fault("files.finalize", "processing", delay_s=1_000, then="ACTIVE")

    async with running_gateway(emulator.url, tmp_path, inline_limit_bytes=1_000, file_ready_timeout_s=0.3) as gateway:
        answer = await gateway.generate(("prompt", "x"), ("file", media("scenes.mp4")))

    assert (answer.status_code, answer.json()["code"]) == (503, "file-not-ready")


async def test_a_file_that_gemini_says_is_not_active_is_waited_for_and_tried_once_more(
    small_gateway: Gateway, emulator: Emulator
) -> None:
    message = "The File abc is not in an ACTIVE state and usage is not allowed."
    emulator.fault("generateContent", "status", code=400, status="FAILED_PRECONDITION", message=message)

    answer = await small_gateway.generate(("prompt", "x"), ("file", ("a.wav", DATA)))

    assert answer.status_code == 200, answer.text
    assert len(emulator.requests("generateContent")) == 2


async def test_the_projects_full_storage_is_file_quota(tmp_path: Path) -> None:
    with emulator_process(EMULATOR_PROJECT_QUOTA_BYTES="1000") as emulator:
        async with running_gateway(emulator.url, tmp_path) as gateway:
            answer = await gateway.post_form("/api/v1/files", ("file", ("a.wav", DATA)))

    assert (answer.status_code, answer.json()["code"]) == (503, "file-quota")
    assert int(answer.headers["retry-after"]) > 0


async def test_kept_files_make_room_least_recently_used_first(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, files_high_water_bytes=3 * len(DATA)) as gateway:
        sent = (await gateway.post_form("/api/v1/files", ("file", ("sent.wav", DATA)))).json()
        kept = []
        for seed in (1, 2):
            data = sound(len(DATA), seed=seed)
            answer = await gateway.generate(("keep_file", "1"), ("file", (f"{seed}.wav", data)))
            kept.append(answer.json()["files"][0]["id"])
        await gateway.generate(("file_id", kept[0]))

        await gateway.post_form("/api/v1/files", ("file", ("new.wav", sound(len(DATA), seed=3))))

        left = [file["id"] for file in (await gateway.client.get("/api/v1/files")).json()["data"]]
    assert kept[0] in left
    assert sent["id"] in left
    assert kept[1] not in left


async def test_a_full_storage_without_deletable_files_has_retry_after(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, files_high_water_bytes=len(DATA)) as gateway:
        await gateway.post_form("/api/v1/files", ("file", ("a.wav", DATA)))
        answer = await gateway.post_form("/api/v1/files", ("file", ("b.wav", sound(len(DATA), seed=4))))

    assert (answer.status_code, answer.json()["code"]) == (503, "file-quota")
    assert int(answer.headers["retry-after"]) > 0


async def test_one_client_cannot_fill_the_storage_for_all(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, stored_bytes_per_client=len(DATA)) as gateway:
        first = await gateway.post_form("/api/v1/files", ("file", ("a.wav", DATA)))
        second = await gateway.post_form("/api/v1/files", ("file", ("b.wav", sound(len(DATA), seed=4))))

    assert first.status_code == 201
    assert (second.status_code, second.json()["code"]) == (429, "stored-bytes")


async def test_simultaneous_uploads_share_the_clients_stored_bytes(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, stored_bytes_per_client=2 * len(DATA)) as gateway:
        answers = await asyncio.gather(
            *(
                gateway.post_form("/api/v1/files", ("file", (f"{seed}.wav", sound(len(DATA), seed=seed))))
                for seed in range(6)
            )
        )

    assert Counter(answer.status_code for answer in answers) == {201: 2, 429: 4}
    assert len(emulator.files) == 2


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"gateway_limits": {"bytes_per_day": 1_000_000}}, "rate-limited"),
        ({"stored_bytes_per_client": 1_000_000}, "stored-bytes"),
    ],
)
async def test_a_file_of_unknown_length_is_counted_while_it_arrives(
    emulator: Emulator, tmp_path: Path, limits: dict[str, Any], code: str
) -> None:
    beginning = part("file", DATA, "a.wav").removesuffix(b"\r\n")
    async with (
        running_gateway(emulator.url, tmp_path, inline_limit_bytes=1_000, chunk_bytes=CHUNK, **limits) as gateway,
        connection(gateway.port) as line,
    ):
        await line.send(head("/api/v1/files") + chunked([beginning, DATA]).removesuffix(b"0\r\n\r\n"))
        answer = await line.answer()
        await eventually(lambda: not emulator.open_sessions())

    assert answer.json["code"] == code
    assert emulator.files == []


async def test_the_uploads_of_a_dead_process_are_swept(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path) as gateway:
        await gateway.post_form("/api/v1/files", ("file", ("a.wav", DATA)))
    # As if the process had died between the upload and giving it an id.
    await change(tmp_path, "DELETE FROM files", "UPDATE uploads SET lease_until = 1, state = 'uploading'")

    async with running_gateway(emulator.url, tmp_path):
        await eventually(lambda: not emulator.files)


async def test_held_media_of_the_process_are_bounded(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, max_buffered_bytes=1_048_576) as gateway:
        busy = await gateway.generate(("file", ("a.wav", sound(2_000_000))))
        after = await gateway.generate(("file", ("a.wav", sound(700_000))))

    assert (busy.status_code, busy.json()["code"]) == (503, "busy")
    assert int(busy.headers["retry-after"]) >= 1
    assert after.status_code == 200


async def test_a_file_too_large_by_its_own_claim_is_not_held_first(emulator: Emulator, tmp_path: Path) -> None:
    data = sound(3_000_000)

    async with running_gateway(
        emulator.url, tmp_path, max_buffered_bytes=1_048_576, inline_limit_bytes=3_000_000
    ) as gateway:
        answer = await gateway.generate(("file_size", str(len(data))), ("file", ("a.wav", data)))

    assert answer.status_code == 200, answer.text
    assert answer.json()["files"][0]["delivery"] == "uploaded"


async def test_a_changed_key_file_is_used_for_every_call(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "CHECK_INTERVAL_S", 0.0)
    key_file = tmp_path / "key"
    key_file.write_text("invalid")
    key = credentials.read_api_key(Settings(_env_file=None, gemini_api_key_file=key_file))

    async with running_gateway(emulator.url, tmp_path, key=key, models_cache_s=0) as gateway:
        refused = [
            await gateway.client.get("/api/v1/models"),
            await gateway.generate(("prompt", "x")),
        ]
        key_file.write_text("another")
        os.utime(key_file, (1, 1))
        taken = [
            await gateway.client.get("/api/v1/models"),
            await gateway.generate(("prompt", "x")),
        ]

    assert [answer.json()["code"] for answer in refused] == ["upstream-credentials"] * 2
    assert [answer.status_code for answer in taken] == [200, 200]
