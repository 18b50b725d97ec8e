import pytest

from emulator_tests.integration.calls import MEDIA, Emulator, emulator_with, error_of
from gemini_emulator import EmulatorConfig

DAY_S = 24 * 3600.0


def names(page: dict[str, object]) -> list[str]:
    files = page.get("files", [])
    assert isinstance(files, list)
    return [file["name"] for file in files]


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_a_file_is_got_unwrapped_under_every_version(emulator: Emulator, version: str) -> None:
    uploaded = emulator.upload(b"abc", file={"displayName": "Ä name"})

    got = emulator.http.get(f"/{version}/{uploaded['name']}")

    assert (got.status_code, got.json()) == (200, uploaded)


def test_names_that_the_server_makes_have_no_dash(emulator: Emulator) -> None:
    name = str(emulator.upload(b"abc")["name"])

    assert name.removeprefix("files/").isalnum()
    assert name == name.lower()


@pytest.mark.parametrize("wish", ["mine-1", "files/mine-1"])
def test_a_chosen_name_may_come_with_its_collection_or_without(emulator: Emulator, wish: str) -> None:
    assert emulator.upload(b"abc", file={"name": wish})["name"] == "files/mine-1"


@pytest.mark.parametrize("wish", ["Mine", "-mine", "mine-", "m" * 41, "files/a/b", "a_b"])
def test_a_name_that_is_none_is_refused(emulator: Emulator, wish: str) -> None:
    assert error_of(emulator.start({"name": wish}))[:2] == (400, "INVALID_ARGUMENT")


def test_a_name_that_is_taken_is_a_clash_at_the_start_and_at_the_end(emulator: Emulator) -> None:
    overtaken = emulator.open({"name": "mine"}, size=3)
    emulator.upload(b"abc", file={"name": "mine"})

    at_start = emulator.start({"name": "files/mine"})
    at_end = emulator.command(overtaken, "upload, finalize", b"xyz", offset=0)

    assert error_of(at_start)[:2] == (409, "ALREADY_EXISTS")
    assert error_of(at_end)[:2] == (409, "ALREADY_EXISTS")
    assert at_end.headers["x-goog-upload-status"] == "cancelled"


def test_a_display_name_has_512_characters_at_most(emulator: Emulator) -> None:
    assert emulator.start({"displayName": "ä" * 512}).status_code == 200
    assert emulator.start({"displayName": "ä" * 513}).status_code == 400


def test_the_list_is_empty_without_files(emulator: Emulator) -> None:
    answer = emulator.http.get("/v1beta/files")

    assert (answer.status_code, answer.json()) == (200, {})


def test_the_list_is_paged_newest_first_and_stands_deletions(emulator: Emulator) -> None:
    uploaded = [str(emulator.upload(b"x", file={"name": f"file{number:02}"})["name"]) for number in range(12)]

    first = emulator.http.get("/v1beta/files").json()
    emulator.http.delete(f"/v1beta/{uploaded[2]}")
    rest = emulator.http.get("/v1beta/files", params={"pageToken": first["nextPageToken"]}).json()

    assert names(first) == uploaded[:1:-1]
    assert names(rest) == uploaded[1::-1]
    assert "nextPageToken" not in rest


def test_pages_have_the_size_that_is_asked_for_up_to_100(emulator: Emulator) -> None:
    for _ in range(101):
        emulator.upload(b"x")

    sizes = [
        len(names(emulator.http.get("/v1beta/files", params={name: size}).json()))
        for name, size in (("pageSize", 3), ("page_size", 4), ("pageSize", 1000), ("pageSize", 0))
    ]

    assert sizes == [3, 4, 100, 10]


@pytest.mark.parametrize("query", [{"pageSize": "-1"}, {"pageSize": "many"}, {"pageToken": "nonsense"}, {"page": "2"}])
def test_a_list_with_a_bad_parameter_is_refused(emulator: Emulator, query: dict[str, str]) -> None:
    assert error_of(emulator.http.get("/v1beta/files", params=query))[:2] == (400, "INVALID_ARGUMENT")


def test_a_deleted_file_is_gone(emulator: Emulator) -> None:
    name = emulator.upload(b"abc")["name"]

    deleted = emulator.http.delete(f"/v1beta/{name}")
    again = emulator.http.delete(f"/v1beta/{name}")

    assert (deleted.status_code, deleted.json()) == (200, {})
    assert error_of(again)[:2] == (403, "PERMISSION_DENIED")


def test_a_file_that_is_not_there_is_refused_with_the_recorded_text(emulator: Emulator) -> None:
    message = "You do not have permission to access the File nope or it may not exist."

    got = emulator.http.get("/v1beta/files/nope")
    used = emulator.generate("What?", {"fileData": {"fileUri": "files/nope"}})

    assert error_of(got) == (403, "PERMISSION_DENIED", message)
    assert error_of(used) == (403, "PERMISSION_DENIED", message)


def test_a_video_is_processed_for_a_while_and_then_has_a_duration(emulator: Emulator) -> None:
    name = emulator.upload((MEDIA / "scenes.mp4").read_bytes(), "video/mp4")["name"]

    before = emulator.http.get(f"/v1beta/{name}").json()
    too_early = emulator.generate("What?", {"fileData": {"fileUri": name}})
    emulator.advance(61)
    after = emulator.http.get(f"/v1beta/{name}").json()

    assert (before["state"], "videoMetadata" in before) == ("PROCESSING", False)
    code, status, message = error_of(too_early)
    assert (code, status) == (400, "FAILED_PRECONDITION")
    assert message.endswith("is not in an ACTIVE state and usage is not allowed.")
    assert after["state"] == "ACTIVE"
    assert after["videoMetadata"] == {"videoDuration": "6s"}
    assert after["updateTime"] > before["updateTime"]


@pytest.mark.parametrize(("name", "mime_type"), [("shapes.png", "image/png"), ("speech.mp3", "audio/mp3")])
def test_pictures_and_sound_are_active_at_once(emulator: Emulator, name: str, mime_type: str) -> None:
    assert emulator.upload((MEDIA / name).read_bytes(), mime_type)["state"] == "ACTIVE"


def test_a_video_that_is_none_fails_with_a_reason(emulator: Emulator) -> None:
    name = emulator.upload(b"no video at all", "video/mp4")["name"]
    emulator.advance(61)

    file = emulator.http.get(f"/v1beta/{name}").json()

    assert file["state"] == "FAILED"
    assert file["error"]["code"] == 3
    assert file["error"]["message"]


def test_a_file_expires_after_its_lifetime_on_the_emulators_clock(emulator: Emulator) -> None:
    name = emulator.upload(b"abc")["name"]
    emulator.advance(2 * DAY_S - 60)
    before = emulator.http.get(f"/v1beta/{name}")
    emulator.advance(61)

    after = emulator.http.get(f"/v1beta/{name}")

    assert before.status_code == 200
    assert error_of(after)[:2] == (403, "PERMISSION_DENIED")
    assert emulator.state().files() == []


def test_the_lifetime_can_be_set() -> None:
    with emulator_with(EmulatorConfig(file_lifetime_s=60)) as emulator:
        emulator.upload(b"abc")
        emulator.advance(61)

        assert emulator.state().files() == []


def test_an_uploaded_file_cannot_be_downloaded(emulator: Emulator) -> None:
    name = emulator.upload(b"abc")["name"]

    answer = emulator.http.get(f"/v1beta/{name}:download", params={"alt": "media"})

    assert error_of(answer)[:2] == (400, "INVALID_ARGUMENT")


def test_registering_files_needs_more_than_a_key(emulator: Emulator) -> None:
    answer = emulator.http.post("/v1beta/files:register", json={"uris": ["gs://bucket/object"]})

    assert error_of(answer)[:2] == (401, "UNAUTHENTICATED")
