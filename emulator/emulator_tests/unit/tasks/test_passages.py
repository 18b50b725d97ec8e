import pytest

from emulator_tests.unit.recording import film, record, tones
from emulator_tests.unit.tasks.asking import (
    SCENES,
    SEGMENT,
    TEXT,
    TRANSCRIPTION,
    Json,
    ask,
    file_part,
    list_of,
    object_of,
    part,
)

WAV = file_part("speech.wav", "audio/wav")
MP4 = file_part("scenes.mp4", "video/mp4")
FIRST = {"start": "00:00.51", "end": "00:02.98", "text": "[loud passage 1, 0.51 s to 2.98 s]", "speaker": "Speaker 1"}
SECOND = {"start": "00:04.33", "end": "00:06.61", "text": "[loud passage 2, 4.33 s to 6.61 s]", "speaker": "Speaker 1"}
RED = {"start": "00:00.00", "end": "00:03.00", "description": "a red scene"}
BLUE = {"start": "00:03.00", "end": "00:06.00", "description": "a blue scene"}
NUMBER: Json = {"type": "number"}


def segments_with(properties: Json) -> Json:
    """Make a transcription's schema whose segments have these properties beside the usual ones."""
    return object_of({"segments": list_of(object_of({**SEGMENT, **properties}))})


def test_each_loud_passage_is_a_segment() -> None:
    assert ask(TRANSCRIPTION, WAV) == {"language": "und", "segments": [FIRST, SECOND]}


@pytest.mark.parametrize("suffix", ["mp3", "aiff", "ogg", "flac"])
def test_every_format_of_sound_gives_the_same_segments(suffix: str) -> None:
    assert ask(TRANSCRIPTION, file_part(f"speech.{suffix}", f"audio/{suffix}"))["segments"] == [FIRST, SECOND]


def test_the_sound_of_a_film_is_heard() -> None:
    (segment,) = ask(TRANSCRIPTION, MP4)["segments"]

    assert (segment["start"], segment["end"]) == ("00:00.00", "00:06.01")


def test_times_are_numbers_where_the_schema_says_so() -> None:
    first, _ = ask(segments_with({"start": NUMBER, "end": NUMBER}), WAV)["segments"]

    assert (first["start"], first["end"]) == (0.51, 2.98)


def test_words_are_spread_evenly_where_the_schema_has_them() -> None:
    word = object_of({"start": NUMBER, "end": NUMBER, "word": TEXT})

    first, _ = ask(segments_with({"words": list_of(word)}), WAV)["segments"]

    assert [one["word"] for one in first["words"]] == first["text"].split()
    assert first["words"][0] == {"start": 0.51, "end": 0.82, "word": "[loud"}
    assert first["words"][-1] == {"start": 2.67, "end": 2.98, "word": "s]"}


def test_only_passages_between_the_offsets_are_listed_in_times_of_the_whole_file() -> None:
    within = file_part("speech.wav", "audio/wav", start=1.5, end=5.0)

    segments = ask(TRANSCRIPTION, within)["segments"]

    assert [(one["start"], one["end"]) for one in segments] == [("00:01.50", "00:02.98"), ("00:04.33", "00:05.00")]
    assert segments[1]["text"] == "[loud passage 2, 4.33 s to 5.00 s]"


def test_offsets_that_hold_only_silence_give_no_segments() -> None:
    assert ask(TRANSCRIPTION, file_part("speech.wav", "audio/wav", start=3.1, end=4.2))["segments"] == []


@pytest.mark.parametrize("said", [{"segments": [FIRST]}, {"segments": [{**FIRST, "start": 0.5, "end": 3.0}]}])
def test_a_transcript_continues_after_the_given_segments(said: Json) -> None:
    assert ask(TRANSCRIPTION, WAV, said=said)["segments"] == [SECOND]


def test_no_text_follows_the_last_segment() -> None:
    assert ask(TRANSCRIPTION, WAV, said={"segments": [FIRST, SECOND]})["segments"] == []


@pytest.mark.parametrize("said", ["words", [], {"segments": []}, {"segments": ["x"]}, {"segments": [{"end": []}]}, 7])
def test_an_answer_that_is_no_transcript_is_not_continued(said: object) -> None:
    assert ask(TRANSCRIPTION, WAV, said=said)["segments"] == [FIRST, SECOND]


def test_going_on_from_tenths_of_a_second_neither_loses_nor_repeats() -> None:
    pieces = [(0.25, False), (0.61, True)] * 12
    sound = part(record(tones(pieces, rate=8_000), "wav", rate=8_000), "audio/wav")
    whole = ask(segments_with({"start": NUMBER, "end": NUMBER}), sound)["segments"]
    gathered: list[Json] = []

    while piece := ask(segments_with({"start": NUMBER, "end": NUMBER}), sound, said=tenths(gathered))["segments"][:2]:
        gathered += piece

    assert gathered == whole


def tenths(segments: list[Json]) -> Json:
    """Return segments as kept by a client that rounds to tenths of a second."""
    return {"segments": [{**one, "start": round(one["start"], 1), "end": round(one["end"], 1)} for one in segments]}


@pytest.mark.parametrize("name", ["silent", "unreadable", "picture", "none"])
def test_without_sound_there_are_no_segments(name: str) -> None:
    media = {
        "silent": [part(record(tones([(1.0, False)], rate=8_000), "wav", rate=8_000), "audio/wav")],
        "unreadable": [file_part("program.jpg", "audio/mp3")],
        "picture": [file_part("shapes.png", "image/png")],
        "none": [],
    }

    assert ask(TRANSCRIPTION, *media[name]) == {"language": "und", "segments": []}


def test_each_colour_of_a_film_is_a_scene() -> None:
    assert ask(SCENES, MP4) == {"scenes": [RED, BLUE]}


def test_scenes_are_cut_at_the_offsets_in_times_of_the_whole_film() -> None:
    scenes = ask(SCENES, file_part("scenes.mp4", "video/mp4", start=1.25, end=4.5))["scenes"]

    assert scenes == [{**RED, "start": "00:01.25"}, {**BLUE, "end": "00:04.50"}]


def test_scenes_continue_after_the_given_scenes() -> None:
    assert ask(SCENES, MP4, said={"scenes": [RED]})["scenes"] == [BLUE]
    assert ask(SCENES, MP4, said={"scenes": [RED, BLUE]})["scenes"] == []


def test_an_orange_scene_has_its_article() -> None:
    (scene,) = ask(SCENES, part(film([(1.0, (255, 165, 0))], "mp4"), "video/mp4"))["scenes"]

    assert scene["description"] == "an orange scene"


def test_sound_and_damaged_films_have_no_scenes() -> None:
    assert ask(SCENES, WAV) == {"scenes": []}
    assert ask(SCENES, file_part("program.jpg", "video/mp4")) == {"scenes": []}
