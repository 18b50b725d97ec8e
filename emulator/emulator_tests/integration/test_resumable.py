import base64
import hashlib

from emulator_tests.integration.calls import GRANULE, Emulator, emulator_with, error_of, status_of
from gemini_emulator import EmulatorConfig


def test_start_answers_with_an_empty_body_and_where_to_send_the_bytes(emulator: Emulator) -> None:
    answer = emulator.start(X_Goog_Upload_Header_Content_Length="5", X_Goog_Upload_Header_Content_Type="text/plain")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["x-goog-upload-status"] == "active"
    assert answer.headers["x-goog-upload-chunk-granularity"] == "262144"
    assert answer.headers["x-goog-upload-url"].startswith(f"{emulator.base_url}/upload/v1beta/files?upload_id=")
    assert answer.headers["x-goog-upload-url"].endswith("&upload_protocol=resumable")
    assert answer.headers["x-goog-upload-control-url"] == answer.headers["x-goog-upload-url"]
    assert answer.headers["x-guploader-uploadid"] in answer.headers["x-goog-upload-url"]


def test_a_key_in_the_query_is_carried_by_the_session_url(emulator: Emulator) -> None:
    answer = emulator.bare.post(
        "/upload/v1beta/files?key=secret",
        headers={"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"},
    )

    assert answer.headers["x-goog-upload-url"].endswith("&key=secret")


def test_a_file_in_three_chunks_is_stored_with_its_whole_hash(emulator: Emulator) -> None:
    data = bytes(range(256)) * 3072 + b"tail"
    url = emulator.open({"displayName": "A name", "name": "files/chosen"}, size=len(data))

    first = emulator.command(url, "upload", data[: 2 * GRANULE], offset=0)
    second = emulator.command(url, "upload", data[2 * GRANULE : 3 * GRANULE], offset=2 * GRANULE)
    last = emulator.command(url, "upload, finalize", data[3 * GRANULE :], offset=3 * GRANULE)

    assert status_of(first) == (200, "active", "524288")
    assert status_of(second) == (200, "active", "786432")
    assert status_of(last) == (200, "final", "786436")
    file = last.json()["file"]
    digest = hashlib.sha256(data).hexdigest()
    assert file["name"] == "files/chosen"
    assert file["displayName"] == "A name"
    assert file["mimeType"] == "text/plain"
    assert file["sizeBytes"] == "786436"
    assert file["state"] == "ACTIVE"
    assert file["source"] == "UPLOADED"
    assert file["uri"] == "https://generativelanguage.googleapis.com/v1beta/files/chosen"
    assert base64.b64decode(file["sha256Hash"]).decode() == digest
    assert emulator.state().files()[0]["sha256"] == digest


def test_finalize_alone_ends_a_file_whose_bytes_have_all_come(emulator: Emulator) -> None:
    url = emulator.open(size=GRANULE)
    emulator.command(url, "upload", b"x" * GRANULE, offset=0)

    answer = emulator.command(url, "finalize")

    assert status_of(answer) == (200, "final", str(GRANULE))


def test_the_last_chunk_of_a_declared_length_may_come_before_finalize(emulator: Emulator) -> None:
    url = emulator.open(size=GRANULE + 1)

    chunk = emulator.command(url, "upload", b"x" * (GRANULE + 1), offset=0)
    end = emulator.command(url, "finalize")

    assert status_of(chunk) == (200, "active", str(GRANULE + 1))
    assert status_of(end) == (200, "final", str(GRANULE + 1))


def test_an_upload_session_without_a_length_accepts_any_number_of_bytes(emulator: Emulator) -> None:
    url = emulator.open()
    emulator.command(url, "upload", b"x" * GRANULE, offset=0)

    answer = emulator.command(url, "upload, finalize", b"abc", offset=GRANULE)

    assert answer.json()["file"]["sizeBytes"] == str(GRANULE + 3)
    assert emulator.state().sessions()[0]["declared"] is None


def test_a_session_without_a_length_is_refused_when_so_configured() -> None:
    with emulator_with(EmulatorConfig(refuse_unknown_length=True)) as emulator:
        answer = emulator.start()

        code, status, message = error_of(answer)
        assert (code, status) == (400, "INVALID_ARGUMENT")
        assert "length" in message
        assert emulator.start({"sizeBytes": "5"}).status_code == 200


def test_the_length_and_the_type_may_stand_in_the_metadata_in_either_case(emulator: Emulator) -> None:
    snake = emulator.start({"mime_type": "text/csv", "size_bytes": 3, "display_name": "n"})
    camel = emulator.start({"mimeType": "text/csv", "sizeBytes": "3", "displayName": "n"})

    answers = [
        emulator.command(start.headers["x-goog-upload-url"], "upload, finalize", b"abc", offset=0).json()["file"]
        for start in (snake, camel)
    ]

    assert [(file["mimeType"], file["displayName"]) for file in answers] == [("text/csv", "n")] * 2


def test_query_answers_the_received_bytes(emulator: Emulator) -> None:
    url = emulator.open(size=2 * GRANULE)
    before = emulator.command(url, "query")
    emulator.command(url, "upload", b"x" * GRANULE, offset=0)

    after = emulator.command(url, "query")

    assert status_of(before) == (200, "active", "0")
    assert status_of(after) == (200, "active", str(GRANULE))


def test_query_after_the_end_repeats_the_file(emulator: Emulator) -> None:
    url = emulator.open(size=3)
    ended = emulator.command(url, "upload, finalize", b"abc", offset=0)

    answer = emulator.command(url, "query")

    assert status_of(answer) == (200, "final", "3")
    assert answer.json() == ended.json()


def test_a_last_chunk_that_is_sent_again_is_acknowledged_with_the_same_file(emulator: Emulator) -> None:
    url = emulator.open(size=3)
    first = emulator.command(url, "upload, finalize", b"abc", offset=0)

    again = emulator.command(url, "upload, finalize", b"abc", offset=0)

    assert status_of(again) == (200, "final", "3")
    assert again.json()["file"]["name"] == first.json()["file"]["name"]
    assert len(emulator.state().files()) == 1


def test_a_chunk_whose_bytes_are_already_held_is_acknowledged_and_not_taken_twice(emulator: Emulator) -> None:
    data = b"a" * GRANULE + b"b" * GRANULE
    url = emulator.open(size=len(data))
    emulator.command(url, "upload", data[:GRANULE], offset=0)

    again = emulator.command(url, "upload", data[:GRANULE], offset=0)
    rest = emulator.command(url, "upload, finalize", data, offset=0)

    assert status_of(again) == (200, "active", str(GRANULE))
    assert status_of(rest) == (200, "final", str(2 * GRANULE))
    assert emulator.state().files()[0]["sha256"] == hashlib.sha256(data).hexdigest()


def test_an_offset_beyond_the_received_bytes_is_refused_and_the_session_stays_open(emulator: Emulator) -> None:
    url = emulator.open(size=2 * GRANULE)

    answer = emulator.command(url, "upload", b"x" * GRANULE, offset=GRANULE)

    assert status_of(answer) == (400, "active", "0")
    assert emulator.command(url, "upload", b"x" * GRANULE, offset=0).status_code == 200


def test_a_chunk_that_is_no_multiple_of_the_granularity_is_refused(emulator: Emulator) -> None:
    url = emulator.open(size=2 * GRANULE)

    answer = emulator.command(url, "upload", b"x" * (GRANULE - 1), offset=0)

    assert status_of(answer) == (400, "active", "0")


def test_an_uneven_chunk_of_unsaid_length_is_taken_as_far_as_granules_go(emulator: Emulator) -> None:
    url = emulator.open()
    headers = {"X-Goog-Upload-Command": "upload", "X-Goog-Upload-Offset": "0"}

    answer = emulator.bare.post(url, content=iter([b"x" * GRANULE, b"y"]), headers=headers)

    assert status_of(answer) == (400, "active", str(GRANULE))


def test_a_chunk_beyond_the_declared_length_is_refused(emulator: Emulator) -> None:
    url = emulator.open(size=3)

    declared = emulator.command(url, "upload, finalize", b"abcd", offset=0)
    streamed = emulator.bare.post(
        url,
        content=iter([b"abcd"]),
        headers={"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"},
    )

    assert status_of(declared) == (400, "active", "0")
    assert status_of(streamed) == (400, "active", "0")


def test_finalizing_too_early_fails_and_the_rest_can_still_come(emulator: Emulator) -> None:
    url = emulator.open(size=GRANULE + 3)
    emulator.command(url, "upload", b"x" * GRANULE, offset=0)

    early = emulator.command(url, "finalize")
    rest = emulator.command(url, "upload, finalize", b"abc", offset=GRANULE)

    assert status_of(early) == (400, "active", str(GRANULE))
    assert status_of(rest) == (200, "final", str(GRANULE + 3))


def test_an_upload_without_an_offset_is_refused(emulator: Emulator) -> None:
    url = emulator.open(size=3)

    assert status_of(emulator.command(url, "upload, finalize", b"abc")) == (400, "active", "0")


def test_an_unknown_command_is_refused(emulator: Emulator) -> None:
    url = emulator.open(size=3)

    assert error_of(emulator.command(url, "purge"))[0] == 400
    assert error_of(emulator.start(X_Goog_Upload_Command="upload"))[0] == 400


def test_a_cancelled_session_says_so_and_takes_nothing_more(emulator: Emulator) -> None:
    url = emulator.open(size=2 * GRANULE)
    emulator.command(url, "upload", b"x" * GRANULE, offset=0)

    cancelled = emulator.command(url, "cancel")
    query = emulator.command(url, "query")
    chunk = emulator.command(url, "upload", b"x" * GRANULE, offset=GRANULE)

    assert status_of(cancelled)[:2] == (200, "cancelled")
    assert status_of(query)[:2] == (200, "cancelled")
    assert status_of(chunk)[:2] == (400, "cancelled")
    assert emulator.state().sessions()[0]["status"] == "cancelled"


def test_a_final_session_cannot_be_cancelled(emulator: Emulator) -> None:
    url = emulator.open(size=3)
    emulator.command(url, "upload, finalize", b"abc", offset=0)

    assert status_of(emulator.command(url, "cancel")) == (400, "final", "3")
    assert len(emulator.state().files()) == 1


def test_a_session_that_never_was_is_a_404_without_a_status(emulator: Emulator) -> None:
    answer = emulator.command(f"{emulator.base_url}/upload/v1beta/files?upload_id=nonsense", "query")

    assert status_of(answer) == (404, None, None)


def test_a_session_dies_after_a_week(emulator: Emulator) -> None:
    url = emulator.open(size=3)
    emulator.advance(7 * 24 * 3600 + 1)

    assert status_of(emulator.command(url, "query")) == (404, None, None)
    emulator.open(size=3)
    assert len(emulator.state().sessions()) == 1
