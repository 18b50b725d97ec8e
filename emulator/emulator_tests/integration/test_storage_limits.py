import hashlib

from emulator_tests.integration.calls import GRANULE, emulator_with, error_of, status_of, text_of
from gemini_emulator import EmulatorConfig


def test_a_file_over_the_limit_is_refused_at_the_start_and_on_the_way() -> None:
    with emulator_with(EmulatorConfig(max_file_bytes=GRANULE)) as emulator:
        declared = emulator.start(X_Goog_Upload_Header_Content_Length=str(GRANULE + 1))
        url = emulator.open()
        streamed = emulator.command(url, "upload", b"x" * (2 * GRANULE), offset=0)

        assert error_of(declared)[:2] == (400, "INVALID_ARGUMENT")
        assert status_of(streamed)[:2] == (400, "cancelled")


def test_a_file_beyond_the_quota_is_refused_until_another_is_deleted() -> None:
    with emulator_with(EmulatorConfig(project_quota_bytes=5)) as emulator:
        name = emulator.upload(b"abc")["name"]
        refused = emulator.start(X_Goog_Upload_Header_Content_Length="3")
        unknown = emulator.command(emulator.open(), "upload, finalize", b"abc", offset=0)
        emulator.http.delete(f"/v1beta/{name}")
        allowed = emulator.start(X_Goog_Upload_Header_Content_Length="3")

        code, status, message = error_of(refused)
        assert (code, status) == (429, "RESOURCE_EXHAUSTED")
        assert "storage" in message
        assert status_of(unknown)[:2] == (429, "cancelled")
        assert allowed.status_code == 200


def test_of_a_large_file_the_beginning_is_kept_and_the_hash_is_of_the_whole() -> None:
    with emulator_with(EmulatorConfig(kept_bytes=1000)) as emulator:
        data = b"word " * 100_000
        name = emulator.upload(data)["name"]

        answer = emulator.generate("What?", {"fileData": {"fileUri": name}})

        line = text_of(answer).splitlines()[-1]
        assert line == (
            f"part 2: text/plain 500000 bytes sha256={hashlib.sha256(data).hexdigest()} {name}: "
            "1000 characters, of the first 1000 bytes"
        )


def test_when_all_files_together_keep_enough_less_is_kept_of_the_next() -> None:
    with emulator_with(EmulatorConfig(kept_total_bytes=150)) as emulator:
        first, second = emulator.upload(b"a" * 100), emulator.upload(b"b" * 100)

        answer = emulator.generate({"fileData": {"fileUri": first["name"]}}, {"fileData": {"fileUri": second["name"]}})

        lines = text_of(answer).splitlines()
        assert lines[-2].endswith(": 100 characters")
        assert lines[-1].endswith(": 50 characters, of the first 50 bytes")
