import hashlib

import httpx

from emulator_tests.integration.calls import GRANULE, KEY, Emulator, error_of


def start(emulator: Emulator, **headers: str) -> str:
    answer = emulator.http.post(
        "/upload/v1beta/files?uploadType=resumable", json={"file": {"display_name": "old"}}, headers=headers
    )
    assert answer.status_code == 200, answer.text
    return answer.headers["location"]


def put(emulator: Emulator, url: str, data: bytes, written: str) -> httpx.Response:
    return emulator.bare.put(url, content=data, headers={"Content-Range": written})


def test_chunks_with_ranges_make_a_file(emulator: Emulator) -> None:
    data = b"x" * GRANULE + b"tail"
    url = start(emulator, **{"X-Upload-Content-Type": "text/csv", "X-Upload-Content-Length": str(len(data))})

    first = put(emulator, url, data[:GRANULE], f"bytes 0-{GRANULE - 1}/{len(data)}")
    last = put(emulator, url, data[GRANULE:], f"bytes {GRANULE}-{len(data) - 1}/{len(data)}")

    assert (first.status_code, first.headers["range"]) == (308, f"bytes=0-{GRANULE - 1}")
    assert last.status_code == 200
    file = last.json()["file"]
    assert (file["displayName"], file["mimeType"], file["sizeBytes"]) == ("old", "text/csv", str(len(data)))
    assert emulator.state().files()[0]["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_total_may_become_known_with_the_last_chunk(emulator: Emulator) -> None:
    url = start(emulator)

    first = put(emulator, url, b"x" * GRANULE, f"bytes 0-{GRANULE - 1}/*")
    last = put(emulator, url, b"y", f"bytes {GRANULE}-{GRANULE}/{GRANULE + 1}")

    assert (first.status_code, last.status_code) == (308, 200)


def test_a_range_query_answers_the_received_offset(emulator: Emulator) -> None:
    url = start(emulator)

    before = put(emulator, url, b"", "bytes */*")
    put(emulator, url, b"x" * GRANULE, f"bytes 0-{GRANULE - 1}/*")
    after = put(emulator, url, b"", "bytes */*")

    assert (before.status_code, "range" in before.headers) == (308, False)
    assert (after.status_code, after.headers["range"]) == (308, f"bytes=0-{GRANULE - 1}")


def test_a_query_after_the_end_repeats_the_file(emulator: Emulator) -> None:
    url = start(emulator)
    ended = put(emulator, url, b"abc", "bytes 0-2/3")

    again = put(emulator, url, b"", "bytes */3")

    assert (again.status_code, again.json()) == (200, ended.json())


def test_one_put_without_a_range_is_the_whole_file(emulator: Emulator) -> None:
    answer = emulator.bare.put(start(emulator), content=b"abc")

    assert answer.json()["file"]["sizeBytes"] == "3"


def test_a_range_that_begins_too_late_or_is_nonsense_is_refused(emulator: Emulator) -> None:
    url = start(emulator)

    assert error_of(put(emulator, url, b"abc", "bytes 5-7/8"))[0] == 400
    assert error_of(put(emulator, url, b"abc", "pages 1-2"))[0] == 400


def test_a_session_that_never_was_is_a_404(emulator: Emulator) -> None:
    url = f"{emulator.base_url}/upload/v1beta/files?uploadType=resumable&upload_id=none&key={KEY}"

    assert put(emulator, url, b"abc", "bytes 0-2/3").status_code == 404


def test_faults_reach_the_old_protocol_too(emulator: Emulator) -> None:
    url = start(emulator)
    emulator.plan({"operation": "files.upload", "kind": "unavailable_ack"})

    unavailable = put(emulator, url, b"x" * GRANULE, f"bytes 0-{GRANULE - 1}/*")
    emulator.plan({"operation": "files.query", "kind": "dead_session"})
    dead = put(emulator, url, b"", "bytes */*")

    assert (unavailable.status_code, dead.status_code) == (503, 404)
