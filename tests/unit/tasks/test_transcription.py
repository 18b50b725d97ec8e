"""Transcriptions: the question, the reading of any answer, and the continuation of a long one."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tasks.lenient_json import UnreadableAnswerError
from app.tasks.transcriptions.question import question
from app.tasks.transcriptions.reading import (
    MAX_SEGMENTS,
    MAX_SHOWN_BYTES,
    MAX_SHOWN_SEGMENTS,
    Transcript,
    TranscriptReading,
    Word,
)

Item = dict[str, object]

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.from_regex(r"[0-9]{1,3}:[0-5][0-9]", fullmatch=True)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
words_of = st.lists(st.fixed_dictionaries({}, optional={"start": scalars, "end": scalars, "word": values}), max_size=5)
items = st.fixed_dictionaries(
    {},
    optional={
        "start": values,
        "end": values,
        "speaker": values,
        "text": st.text() | values,
        "words": words_of | values,
    },
)
answers = (
    values
    | st.lists(items, max_size=8)
    | st.fixed_dictionaries({}, optional={"language": values, "segments": st.lists(items, max_size=8) | values})
)
limits = st.none() | st.floats(0, 900_000)


def item(start: object, end: object, text: object, **more: object) -> Item:
    return {"start": start, "end": end, "speaker": None, "text": text, **more}


def answer(*segments: object, language: str = "en") -> str:
    return json.dumps({"language": language, "segments": segments})


def cut_answer(*segments: Item) -> str:
    """An answer that ends in the middle of the segment that would come next."""
    return answer(*segments)[:-2] + ', {"start": "09:00", "text": "This is cu'


def heard(
    *pieces: str, duration: float | None = None, start: float | None = None, end: float | None = None
) -> TranscriptReading:
    transcript = Transcript(duration=duration, start=start, end=end)
    for piece in pieces:
        transcript.take(piece)
    return transcript.result()


def times(found: TranscriptReading) -> list[tuple[float, float]]:
    return [(one.start, one.end) for one in found.segments]


def texts(found: TranscriptReading) -> list[str]:
    return [one.text for one in found.segments]


def test_segments_with_times_speakers_and_text_are_asked_for() -> None:
    schema = question().schema

    assert schema == {
        "type": "object",
        "properties": {
            "language": {"type": "string"},
            "segments": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "start": {"type": "string", "description": "MM:SS.s"},
                        "end": {"type": "string", "description": "MM:SS.s"},
                        "speaker": {"type": ["string", "null"]},
                        "text": {"type": "string"},
                    },
                    "required": ["start", "end", "text"],
                },
            },
        },
        "required": ["language", "segments"],
    }


def test_words_are_in_the_schema_only_when_they_are_wanted() -> None:
    assert '"word"' in json.dumps(question(with_words=True).schema)
    assert '"word"' not in json.dumps(question().schema)


def test_the_plain_instruction_has_no_passage_and_no_translation() -> None:
    instruction = question().instruction

    assert "MM:SS.s" in instruction
    assert "verbatim" in instruction
    assert "only the passage" not in instruction
    assert "Translate" not in instruction


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (65.0, 120.0, "only the passage from 01:05.0 to 02:00.0,"),
        (None, 120.0, "only the passage from 00:00.0 to 02:00.0,"),
        (65.0, None, "only the passage from 01:05.0 to the end,"),
    ],
)
def test_the_instruction_has_the_passage_in_file_times(start: float | None, end: float | None, said: str) -> None:
    assert said in question(start=start, end=end).instruction


def test_the_instruction_has_language_translation_and_prompt() -> None:
    instruction = question(language="de", translate_to="French", prompt="Names: Zoë.").instruction

    assert "The spoken language is: de." in instruction
    assert "write only the translation: French." in instruction
    assert "verbatim" not in instruction
    assert instruction.endswith("Names: Zoë.")


def test_an_answer_becomes_numbered_segments_in_seconds() -> None:
    found = heard(answer(item("00:01.5", "00:03", "Good morning.", speaker="Anna"), item("1:00:00", 3601.5, " Bye.\n")))

    assert found.language == "en"
    assert found.text == "Good morning. Bye."
    assert [(one.index, one.start, one.end, one.speaker, one.text) for one in found.segments] == [
        (0, 1.5, 3.0, "Anna", "Good morning."),
        (1, 3600.0, 3601.5, None, "Bye."),
    ]
    assert found.warnings == ()


@pytest.mark.parametrize("text", ["{}", "[]", answer(), '{"segments": null}', answer(item("0:00", "0:05", " "))])
def test_silence_is_an_empty_transcription(text: str) -> None:
    transcript = Transcript()

    taken = transcript.take(text)

    assert (taken.is_whole, taken.has_new) == (True, False)
    assert transcript.result().segments == ()
    assert transcript.result().text == ""


@pytest.mark.parametrize(
    "text",
    [
        "I cannot hear anything.",
        '{"error": "no sound"}',
        '{"language": "en"}',
        '{"segments": "hello"}',
        '{"segments": ["hello"]}',
        '["hello"]',
        '[{"box_2d": [1, 2, 3, 4]}]',
    ],
)
def test_an_answer_without_segments_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableAnswerError):
        Transcript().take(text)


def test_an_answer_cut_before_its_first_segment_has_no_segments() -> None:
    taken = Transcript().take('{"language": "en", "seg')

    assert (taken.is_whole, taken.has_new) == (False, False)


def test_a_list_without_its_object_will_do() -> None:
    assert texts(heard(json.dumps([item("0:00", "0:05", "Hi.")]))) == ["Hi."]


def test_segments_are_put_in_order() -> None:
    assert texts(heard(answer(item("0:05", "0:06", "two"), item("0:01", "0:02", "one")))) == ["one", "two"]


def test_two_people_may_speak_at_once() -> None:
    assert times(heard(answer(item(1, 6, "one"), item(4, 5, "two")))) == [(1, 6), (4, 5)]


def test_control_characters_are_no_speech() -> None:
    assert texts(heard(answer(item(1, 2, "a\x00b\u2028c\x1b")))) == ["a b c"]


def test_a_segment_without_a_start_begins_at_the_end_of_the_segment_before() -> None:
    found = heard(answer(item(1, 2, "one"), item("soon", 4, "two"), item(5, 6, "three")))

    assert times(found) == [(1, 2), (2, 4), (5, 6)]
    assert [one.code for one in found.warnings] == ["times-estimated"]


@pytest.mark.parametrize("end", [None, "later", -1, 1.0, 0.5, [2]])
def test_a_segment_without_an_end_ends_at_the_start_of_the_next_one(end: object) -> None:
    assert times(heard(answer(item(1, end, "One and a half. " * 9), item(3, 4, "two")))) == [(1, 3), (3, 4)]


def test_a_missing_end_is_estimated_from_the_text_if_the_next_start_is_far() -> None:
    assert times(heard(answer(item(1, None, "x" * 45), item(90, 91, "two")))) == [(1, 4), (90, 91)]


def test_the_last_segment_without_an_end_ends_with_the_file_at_the_latest() -> None:
    assert times(heard(answer(item(8, None, "x" * 90)), duration=10.5)) == [(8, 10.5)]


def test_segments_without_any_times_follow_each_other() -> None:
    found = heard(answer(*({"text": word * 15} for word in "abc")), duration=2.5)

    assert times(found) == [(0, 1), (1, 2), (2, 2.5)]
    assert len(found.text) == 47


def test_speech_without_a_time_keeps_its_place() -> None:
    found = heard(answer(item(1, None, "x" * 900), {"text": "two"}, item(3, 4, "three")))

    assert [one.text[:5] for one in found.segments] == ["xxxxx", "two", "three"]


def test_a_small_overshoot_is_cut() -> None:
    found = heard(answer(item(8, 11, "one"), item(10.8, 12, "two")), duration=10.5)

    assert times(found) == [(8, 10.5), (10.5, 10.5)]


def test_segments_after_the_end_of_the_file_are_left_out_with_a_warning() -> None:
    found = heard(answer(item(1, 2, "one"), item(60, 61, "two"), item(70, 71, "three")), duration=10.5)

    assert texts(found) == ["one"]
    assert [(one.code, one.detail) for one in found.warnings] == [
        ("segments-outside", "Segments left out because they lie outside 00:00.0 to 00:10.5: 2.")
    ]


def test_only_segments_of_the_passage_are_kept() -> None:
    told = [item(start, start + 10, str(start)) for start in (0, 50, 60, 70, 80)]

    found = heard(answer(*told), start=65.0, end=80.0, duration=300.0)

    assert [(one.start, one.end, one.text) for one in found.segments] == [(65, 70, "60"), (70, 80, "70")]
    assert [one.code for one in found.warnings] == ["segments-outside"]


def test_an_end_at_the_end_of_the_file_is_no_other_limit() -> None:
    told = answer(item(8, 10.5, "one"), item(10.8, 12, "two"))

    assert heard(told, duration=10.5, end=10.5) == heard(told, duration=10.5)
    assert texts(heard(told, duration=20.0, end=10.5)) == ["one"]


def test_a_passage_after_the_end_of_the_file_is_empty() -> None:
    assert heard(answer(item(1, 2, "one"), item(60, 61, "two")), start=100.0, duration=10.0).segments == ()


def test_words_have_times_within_their_segment() -> None:
    words = [
        {"start": "00:00.5", "end": "00:01.2", "word": "Good"},
        {"start": "00:01.1", "end": "00:09.0", "word": "morning."},
    ]

    found = heard(answer(item(1, 3, "Good morning.", words=words)))

    assert found.segments[0].words == (Word(1, 1.2, "Good"), Word(1.2, 3, "morning."))


def test_words_without_times_share_their_segment_by_length() -> None:
    words = [{"start": 1, "word": "a"}, {"word": "bcd"}, {"word": " "}, "e", None]

    found = heard(answer(item(1, 3, "a bcd", words=words)))

    assert found.segments[0].words == (Word(1, 1.5, "a"), Word(1.5, 3, "bcd"))


@pytest.mark.parametrize("words", [None, "Good", 7, {}, [1, None, "x"]])
def test_an_invalid_list_of_words_is_empty(words: object) -> None:
    assert heard(answer(item(1, 3, "Good morning.", words=words))).segments[0].words == ()


def test_a_segment_that_was_cut_comes_again_whole() -> None:
    transcript = Transcript()

    first = transcript.take(cut_answer(item(1, 2, "one"), item(2, 3, "two")))
    second = transcript.take(answer(item(3, 4, "three")))

    assert (first.is_whole, first.has_new) == (False, True)
    assert (second.is_whole, second.has_new) == (True, True)
    assert texts(transcript.result()) == ["one", "two", "three"]


def test_the_shown_segments_have_the_schema_of_the_question() -> None:
    transcript = Transcript()
    transcript.take(cut_answer(item(61.25, 62.5, "one", speaker="Anna")))

    assert json.loads(transcript.last_items()) == {
        "language": "en",
        "segments": [{"start": "01:01.2", "end": "01:02.5", "speaker": "Anna", "text": "one"}],
    }
    assert "from 01:02.5" in transcript.continuation().instruction
    assert transcript.continuation().schema == question().schema


def test_a_continuation_asks_for_words_if_the_answer_had_words() -> None:
    transcript = Transcript()
    transcript.take(answer(item(1, 2, "one", words=[{"start": 1, "end": 2, "word": "one"}])))

    assert json.loads(transcript.last_items())["segments"][0]["words"] == [
        {"start": "00:01.0", "end": "00:02.0", "word": "one"}
    ]
    assert transcript.continuation().schema == question(with_words=True).schema


def test_before_the_first_segment_no_segments_are_shown() -> None:
    transcript = Transcript(start=65.0)
    transcript.take("{}")

    assert transcript.last_items() == ""
    assert "from 01:05.0" in transcript.continuation().instruction


def test_only_the_last_segments_are_shown() -> None:
    transcript = Transcript()
    transcript.take(answer(*(item(number, number + 1, f"number {number}") for number in range(100))))

    told = json.loads(transcript.last_items())["segments"]

    assert [one["text"] for one in told] == [f"number {number}" for number in range(80, 100)]


@pytest.mark.parametrize("text", ["x" * 1_000_000, "\N{GRINNING FACE}" * 100_000, '"\\' * 100_000, "word " * 1_000])
def test_the_shown_part_of_long_segments_is_bounded(text: str) -> None:
    transcript = Transcript()
    transcript.take(
        answer(*(item(number, number + 1, text, speaker=text, words=[{"word": text}]) for number in (1, 2, 3)))
    )

    assert 0 < len(transcript.last_items().encode()) <= MAX_SHOWN_BYTES
    assert json.loads(transcript.last_items())["segments"][-1]["end"] == "00:04.0"


def test_repeated_segments_are_left_out() -> None:
    found = heard(
        cut_answer(item(1, 2, "one"), item(2, 3, "Two, or so."), item(3, 4, "three")),
        answer(item("00:02", "00:03", "Two or so"), item(3, 4, "three"), item(4, 5, "four")),
    )

    assert texts(found) == ["one", "Two, or so.", "three", "four"]


def test_the_same_words_at_a_later_time_are_new() -> None:
    found = heard(cut_answer(item(1, 2, "Yes."), item(2, 3, "Yes.")), answer(item(3, 4, "Yes."), item(9, 10, "Yes.")))

    assert texts(found) == ["Yes."] * 4


def test_an_answer_of_repeated_segments_has_no_new_items() -> None:
    transcript = Transcript()
    piece = cut_answer(item(1, 2, "one"), item(None, None, "two"), item(2.95, 3, "three"))

    assert transcript.take(piece).has_new
    assert not transcript.take(piece).has_new


GREETING = cut_answer(item(0, 1, "Hello there."), item(1, 2, "How are you?"))


@pytest.mark.parametrize(
    "repeated",
    [
        [item(0, 2, "Hello there. How are you?")],
        [item(0, 2.1, "hello there, how are you")],
        [item(1.5, 2, "are you?")],
        [item(0.5, 1.2, "there. How"), item(1.2, 2, "are you?")],
        [item(1.2, 3.5, "How are you?")],
        [item(0.1, 1, "Hello"), item(1, 2, "there. How are you?")],
    ],
)
def test_speech_repeated_in_other_segments_is_left_out(repeated: list[Item]) -> None:
    found = heard(GREETING, answer(*repeated, item(2, 3, "Fine.")))

    assert texts(found) == ["Hello there.", "How are you?", "Fine."]
    assert found.warnings == ()


def test_a_segment_that_begins_with_a_repetition_keeps_its_new_words() -> None:
    words = [{"start": number / 2, "end": (number + 1) / 2, "word": word} for number, word in enumerate("abcdef", 2)]

    found = heard(
        cut_answer(item(0, 1, "one"), item(1, 2, "How are you?")),
        answer(item(1, 3.5, 'How are you? "Fine," he said.', words=[{"word": "How"}, {"word": "are"}, *words])),
    )

    assert [(one.start, one.end, one.text) for one in found.segments[1:]] == [
        (1, 2, "How are you?"),
        (2, 3.5, '"Fine," he said.'),
    ]
    assert [word.word for word in found.segments[2].words] == list("bcdef")


def test_without_blanks_between_words_a_repetition_is_found_as_well() -> None:
    found = heard(
        cut_answer(item(0, 1, "こんにちは。"), item(1, 2, "お元気ですか。")),
        answer(item(0, 2, "こんにちは、お元気ですか"), item(1, 3, "お元気ですか。はい。")),
    )

    assert texts(found) == ["こんにちは。", "お元気ですか。", "はい。"]


@pytest.mark.parametrize(
    "new",
    [
        item(1.2, 2, "Who are you?"),
        item(0.5, 2, "How are you, and where?"),
        item(1.5, 4, "You know."),
        item(1, 2, "Hell."),
        item(2, 3, "How are you?"),
        item(2.5, 3, "Hello there. How are you?"),
    ],
)
def test_not_clearly_repeated_speech_is_kept(new: Item) -> None:
    assert new["text"] in texts(heard(GREETING, answer(new)))


def test_words_that_were_said_at_quite_another_time_are_no_repetition() -> None:
    before = [item(number * 10, number * 10 + 9, f"This is number {number}.") for number in range(20)]

    found = heard(cut_answer(*before), answer(item(150, 152, "This is number 3."), item(153, 154, "number 15")))

    assert len(found.segments) == 21
    assert "This is number 15. This is number 3. This is number 16." in found.text


def test_a_segment_without_a_time_is_a_repetition_only_before_new_segments() -> None:
    again = [{"text": "Yes."}, item(2, 3, "New."), {"text": "Yes."}]

    assert texts(heard(cut_answer(item(0, 1, "Yes."), item(1, 2, "No.")), answer(*again))) == [
        "Yes.",
        "No.",
        "New.",
        "Yes.",
    ]


def test_times_that_begin_again_are_moved_after_the_kept_segments() -> None:
    found = heard(
        cut_answer(item(0, 1, "One."), item(1, 2, "Two.")),
        cut_answer(item(0, 1, "Three.", words=[{"start": 0, "end": 0.5, "word": "Three."}]), item(1, 2, "Four.")),
        answer(item(0.5, 1, "Five."), {"text": "Six."}, item(5, 6, "Seven.")),
    )

    assert found.text == "One. Two. Three. Four. Five. Six. Seven."
    assert times(found) == [(0, 1), (1, 2), (2, 3), (3, 4), (4.5, 5), (5, 6), (9, 10)]
    assert found.segments[2].words == (Word(2, 2.5, "Three."),)
    assert [(one.code, one.detail) for one in found.warnings if one.code == "times-shifted"] == [
        ("times-shifted", "Continuations whose times began again from the start and were moved: 2.")
    ]


@pytest.mark.parametrize("origin", [0, 60])
def test_in_a_passage_times_may_begin_again_at_its_start_or_at_0(origin: float) -> None:
    found = heard(
        cut_answer(item(60, 70, "One."), item(70, 80, "Two.")),
        answer(item(origin, origin + 1, "Three."), item(origin + 1, origin + 2, "Four.")),
        start=60.0,
        end=120.0,
        duration=300.0,
    )

    assert [(one.start, one.text) for one in found.segments[2:]] == [(80, "Three."), (81, "Four.")]
    assert [one.code for one in found.warnings] == ["times-shifted"]


FIRST_TEN = [item(number, number + 1, f"number {number}") for number in range(10)]


@pytest.mark.parametrize(
    "later",
    [
        # All over again, with a word misheard, and on.
        [item(0, 1, "lumber 0"), *FIRST_TEN[1:], item(10, 11, "ten")],
        # All over again, with a word misheard in each.
        [item(number, number + 1, f"well number {number}") for number in range(5)],
        # What had been overlooked, and on.
        [item(0.5, 1, "overlooked"), item(10, 11, "ten")],
        # Back and forth: no clock at all.
        [item(1, 2, "a"), item(0, 1, "b"), item(2, 3, "c")],
        # Not from the beginning.
        [item(7, 8, "interrupted")],
        # It would not fit into the file.
        [item(0, 1, "a"), item(1, 2, "b"), item(4, 5, "c"), item(8, 9, "d")],
    ],
)
def test_other_clocks_are_left_as_they_are(later: list[Item]) -> None:
    found = heard(cut_answer(*FIRST_TEN), answer(*later), duration=15.0)

    assert found.warnings == ()
    assert {(one["start"], one["text"]) for one in later} <= {(one.start, one.text) for one in found.segments}


def test_segments_know_in_which_order_they_came() -> None:
    found = heard(cut_answer(item(5, 6, "one"), item(1, 2, "two")), answer(item(6, 7, "three")))

    assert [(one.text, one.arrival) for one in found.segments] == [("two", 1), ("one", 0), ("three", 2)]


def test_segments_invented_after_the_end_are_no_new_items() -> None:
    transcript = Transcript(duration=10.0)
    transcript.take(cut_answer(item(1, 2, "one")))

    assert not transcript.take(cut_answer(item(100, 101, "la la la"))).has_new


def test_the_first_language_is_kept() -> None:
    assert heard(answer(language=""), answer(language="de"), answer(language="fr")).language == "de"


def test_at_most_10000_segments_are_kept_and_a_warning_counts_the_rest() -> None:
    transcript = Transcript()
    transcript.take(answer(*(item(number, number + 1, f"{number}") for number in range(MAX_SEGMENTS + 5))))

    found = transcript.result()

    assert len(found.segments) == MAX_SEGMENTS
    assert [(one.code, one.detail) for one in found.warnings] == [
        ("too-many-segments", "Segments left out because at most 10000 are kept: 5.")
    ]
    assert not transcript.take(answer(item(90_000, 90_001, "more"))).has_new


def check_is_sound(found: TranscriptReading) -> None:
    assert [one.index for one in found.segments] == list(range(len(found.segments)))
    assert all(one.start <= following.start for one, following in pairwise(found.segments))
    assert all(0 <= one.start <= one.end for one in found.segments)
    assert all(one.text and one.text == " ".join(one.text.split()) for one in found.segments)
    assert found.text == " ".join(one.text for one in found.segments)
    for segment in found.segments:
        at = segment.start
        for word in segment.words:
            assert at <= word.start <= word.end <= segment.end
            at = word.end


@given(st.lists(answers.map(json.dumps) | st.text(), max_size=4), limits, limits, limits)
def test_any_answers_make_a_sound_transcription_or_are_unreadable(
    pieces: list[str], duration: float | None, start: float | None, end: float | None
) -> None:
    transcript = Transcript(duration=duration, start=start, end=end)

    for piece in pieces:
        try:
            transcript.take(piece)
        except UnreadableAnswerError:
            continue

    found = transcript.result()
    check_is_sound(found)
    assert bool(transcript.last_items()) == bool(found.segments)
    assert len(transcript.last_items().encode()) <= MAX_SHOWN_BYTES
    if found.segments:
        assert len(json.loads(transcript.last_items())["segments"]) <= MAX_SHOWN_SEGMENTS
        first, last = start or 0.0, min(one for one in (duration, end, 1e9) if one is not None)
        assert all(first <= one.start and one.end <= max(first, last) for one in found.segments)


@given(st.lists(items, max_size=8), st.none() | st.floats(1, 10_000))
def test_an_answer_that_comes_twice_is_kept_once(told: list[Item], duration: float | None) -> None:
    transcript = Transcript(duration=duration)
    transcript.take(answer(*told, item(1, 2, "one")))
    once = transcript.result().segments

    taken = transcript.take(answer(*told, item(1, 2, "one")))

    assert not taken.has_new
    assert transcript.result().segments == once


@given(st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=30), st.data())
def test_an_answer_cut_anywhere_loses_and_repeats_no_segment(spoken: list[str], data: st.DataObject) -> None:
    told = [item(f"00:{number:02}", f"00:{number + 1:02}", text) for number, text in enumerate(spoken)]
    whole = answer(*told)
    transcript = Transcript()

    kept = transcript.take(whole[: data.draw(st.integers(1, len(whole)))])
    count = len(transcript.result().segments)
    again = data.draw(st.integers(0, count))
    transcript.take(answer(*told[again:]))

    assert kept.has_new == (count > 0)
    assert texts(transcript.result()) == spoken


@given(st.lists(st.sampled_from(["Yes.", "No.", "Oh yes, no.", "Well"]), min_size=2, max_size=12), st.data())
def test_a_repetition_in_any_segments_loses_and_repeats_no_speech(spoken: list[str], data: st.DataObject) -> None:
    told = [item(number, number + 1, text) for number, text in enumerate(spoken)]
    kept = data.draw(st.integers(1, len(told)))
    again = data.draw(st.integers(0, kept - 1))
    cuts = sorted({again, kept, *data.draw(st.lists(st.integers(again, kept)))})
    repeated = [item(low, high, " ".join(spoken[low:high])) for low, high in pairwise(cuts)]

    found = heard(cut_answer(*told[:kept]), answer(*repeated, *told[kept:]))

    assert texts(found) == spoken
    assert found.warnings == ()
