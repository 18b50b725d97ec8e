import pytest

from emulator_tests.unit.recording import FILM_FORMATS, film, record, tones
from gemini_emulator.senses.unreadable import UnreadableMediaError
from gemini_emulator.senses.video import Scene, has_sound, video_duration, watch

SCENES = ((1.0, (255, 0, 0)), (0.6, (0, 128, 0)), (1.4, (0, 0, 255)))


@pytest.mark.parametrize("file_format", sorted(FILM_FORMATS))
def test_scenes_and_size_are_those_that_were_filmed(file_format: str) -> None:
    video = watch(film(SCENES, file_format))

    assert (video.width, video.height, video.sound) == (160, 96, None)
    assert video.duration == pytest.approx(3.0, abs=0.05)
    assert [scene.colour for scene in video.scenes] == ["red", "green", "blue"]
    assert [scene.end for scene in video.scenes] == pytest.approx([1.0, 1.6, 3.0], abs=0.05)


@pytest.mark.parametrize("file_format", sorted(FILM_FORMATS))
def test_the_duration_is_read_without_watching(file_format: str) -> None:
    data = film(SCENES, file_format)

    assert video_duration(data) == pytest.approx(3.0, abs=0.05)
    assert not has_sound(data)


def test_a_long_film_is_watched_by_its_key_frames() -> None:
    data = film([(90.0, (255, 0, 0)), (60.0, (0, 0, 255))], "mp4", size=(16, 16), frames_per_second=5)

    video = watch(data)

    assert video.duration == pytest.approx(150.0)
    assert [scene.colour for scene in video.scenes] == ["red", "blue"]
    assert video.scenes == (Scene(0.0, video.scenes[1].start, "red"), Scene(video.scenes[1].start, 150.0, "blue"))


def test_a_recording_without_pictures_is_no_film() -> None:
    data = record(tones([(1.0, True)], rate=48_000), "m4a", rate=48_000)

    with pytest.raises(UnreadableMediaError):
        watch(data)
    with pytest.raises(UnreadableMediaError):
        video_duration(data)


@pytest.mark.parametrize("data", [b"", b"\x00\x00\x00\x18ftypmp42", bytes(5_000)])
def test_bytes_that_are_no_video_are_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableMediaError):
        watch(data)
    assert not has_sound(data)
