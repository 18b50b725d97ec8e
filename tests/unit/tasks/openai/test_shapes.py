"""Transcripts in OpenAI's shapes."""

import pytest

from app.tasks.transcriptions.openai.languages import name_of
from app.tasks.transcriptions.openai.shapes import diarized_segments
from app.tasks.transcriptions.reading import Segment


def spoken(*speakers: str | None) -> list[Segment]:
    return [Segment(index, index, index + 1, speaker, "Yes.") for index, speaker in enumerate(speakers)]


def letters(*speakers: str | None, known: frozenset[str] = frozenset()) -> list[object]:
    return [segment["speaker"] for segment in diarized_segments(spoken(*speakers), known)]


def test_speakers_are_lettered_in_the_order_in_which_they_begin() -> None:
    assert letters("Speaker 2", "Speaker 1", "Speaker 2", None) == ["A", "B", "A", "C"]


def test_known_speakers_keep_their_names() -> None:
    assert letters("Nia", "Speaker 1", "Nia", known=frozenset({"Nia"})) == ["Nia", "A", "Nia"]


def test_letters_do_not_end_at_z() -> None:
    assert letters(*map(str, range(28)))[25:] == ["Z", "AA", "AB"]


def test_known_speakers_use_up_no_letters() -> None:
    assert letters("Nia", "X", "Tom", "Y", known=frozenset({"Nia", "Tom"})) == ["Nia", "A", "Tom", "B"]


def test_segments_are_numbered_in_their_order() -> None:
    assert [one["id"] for one in diarized_segments(spoken("X", "Y"), frozenset())] == ["seg_0", "seg_1"]


def test_ten_thousand_speakers_are_as_quickly_named_as_any() -> None:
    assert len(set(letters(*map(str, range(10_000))))) == 10_000


@pytest.mark.parametrize(
    ("language", "name"),
    [("en", "english"), ("pt-BR", "portuguese"), ("zh_Hant", "chinese"), ("EN", "english"), ("und", "und"), (None, "")],
)
def test_languages_have_whispers_names(language: str | None, name: str) -> None:
    assert name_of(language) == name
