"""Subtitles: the spoken words as SubRip, WebVTT and plain text that players and parsers read correctly."""

import html
import io
import re

import av
import pysubs2
import pytest
from av.subtitles.subtitle import AssSubtitle
from hypothesis import given
from hypothesis import strategies as st

from app.tasks.transcriptions.reading import Segment
from app.tasks.transcriptions.subtitles import MAX_COLUMNS, plain_text, srt, vtt

Shown = tuple[int, int, str]

TIMINGS = re.compile(r"([0-9]{2}:[0-5][0-9]:[0-5][0-9]\.[0-9]{3}) --> ([0-9]{2}:[0-5][0-9]:[0-5][0-9]\.[0-9]{3})")

# SubRip cannot escape what players take for markup: it is written with characters that look like it.
IN_SUBRIP = str.maketrans("<>{}\\", "\u2039\u203a()\u2216")

ANNA = Segment(0, 0.0, 2.5, "Anna", "Good morning.")
BOB = Segment(1, 2.5, 4.0, "Bob", "Morning!")
LONG = "one two three four five six seven eight nine ten eleven twelve " * 5

times = st.floats(0, 40_000)
speeches = st.lists(
    st.builds(
        Segment, st.just(0), times, times, st.none() | st.sampled_from(["A", "B"]) | st.text(max_size=20), st.text()
    ),
    max_size=12,
)
plain_speeches = st.lists(
    st.builds(
        Segment,
        st.just(0),
        times,
        times,
        st.none() | st.sampled_from("AB"),
        st.text("ab <>&{}\\-\n\N{CJK UNIFIED IDEOGRAPH-4E00}", max_size=200),
    ),
    max_size=12,
)


def said(text: str, start: float = 0.0, end: float = 2.0, speaker: str | None = None) -> Segment:
    return Segment(0, start, end, speaker, text)


def by_ffmpeg(text: str, form: str) -> list[Shown]:
    """The cues shown by ffmpeg: from and to milliseconds, and the text; two equal cues are shown only once."""
    with av.open(io.BytesIO(text.encode()), mode="r", format=form) as container:
        return [
            (packet.pts or 0, (packet.pts or 0) + (packet.duration or 0), shown.dialogue.decode())
            for packet in container.demux(container.streams.subtitles[0])
            for shown in packet.decode()
            if isinstance(shown, AssSubtitle)
        ]


def by_parser(text: str, form: str) -> list[Shown]:
    """The cues read by a subtitle library, which leaves references to characters unchanged."""
    cues = pysubs2.SSAFile.from_string(text, format_=form)
    return [(one.start, one.end, one.text.replace(r"\N", "\n")) for one in cues]


def letters(text: str) -> list[str]:
    """The text without blanks and line breaks, to compare the words in any layout."""
    return sorted(character for character in text if not character.isspace())


def test_subrip_is_numbered_cues_with_commas_in_their_times() -> None:
    assert srt([said("Good morning."), said("Good night.", 3661.25, 3663.0)]) == (
        "1\n00:00:00,000 --> 00:00:02,000\nGood morning.\n\n2\n01:01:01,250 --> 01:01:03,000\nGood night.\n"
    )


def test_webvtt_has_a_header_and_points_in_its_times() -> None:
    assert vtt([said("Good morning."), said("Good night.", 3661.25, 3663.0)]) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nGood morning.\n\n01:01:01.250 --> 01:01:03.000\nGood night.\n"
    )


def test_plain_text_is_a_line_a_segment() -> None:
    assert plain_text([said("Good morning."), said("Good night.")]) == "Good morning.\nGood night.\n"


def test_silence_gives_only_the_header() -> None:
    assert (srt([]), vtt([]), plain_text([])) == ("", "WEBVTT\n\n", "")
    assert (srt([said("\n")]), vtt([said("\n")]), plain_text([said("\n")])) == ("", "WEBVTT\n\n", "")


def test_of_several_speakers_each_is_named() -> None:
    assert "\nAnna: Good morning.\n" in srt([ANNA, BOB])
    assert "\nBob: Morning!\n" in srt([ANNA, BOB])
    assert plain_text([ANNA, BOB]) == "Anna: Good morning.\nBob: Morning!\n"


def test_a_single_speaker_is_named_only_as_a_webvtt_voice() -> None:
    assert "Anna" not in srt([ANNA])
    assert "Anna" not in plain_text([ANNA, said("Yes.")])
    assert "\n<v Anna>Good morning.\n" in vtt([ANNA])


def test_a_speakers_name_is_text_on_one_line() -> None:
    assert "\n<v A&gt;B &amp; C>Hi.\n" in vtt([said("Hi.", speaker="A>B\n&\x00C")])


def test_a_time_is_rounded_to_milliseconds_and_no_minute_has_sixty_seconds() -> None:
    assert "00:01:00,000 --> 01:00:00,000\n" in srt([said("Hi.", 59.9996, 3599.9999)])


def test_a_hundred_hours_have_three_digits() -> None:
    assert "100:00:00.000 --> 100:00:02.000\n" in vtt([said("Hi.", 360_000.0, 360_002.0)])


def test_a_cue_without_length_is_shown_for_a_moment() -> None:
    assert "00:00:05,000 --> 00:00:05,200\n" in srt([said("Hi.", 5.0, 5.0)])


def test_a_moment_is_no_longer_than_there_is_room() -> None:
    assert "00:00:05,000 --> 00:00:05,100\n" in srt([said("Hi.", 5.0, 5.0), said("Ho.", 5.1, 6.0)])


def test_the_cues_of_one_speaker_do_not_overlap() -> None:
    written = srt([said("Hi.", 1.0, 600.0), said("Ho.", 5.0, 6.0)])

    assert "00:00:01,000 --> 00:00:05,000\n" in written


def test_two_people_may_speak_at_once() -> None:
    written = srt([said("Hi.", 1.0, 6.0, "A"), said("Ho.", 5.0, 6.0, "B")])

    assert "00:00:01,000 --> 00:00:06,000\nA: Hi.\n" in written
    assert "00:00:05,000 --> 00:00:06,000\nB: Ho.\n" in written


def test_a_text_of_two_lines_is_broken_in_its_middle() -> None:
    text = "This is a sentence that is a little too long for one."

    assert "\nThis is a sentence that is\na little too long for one.\n" in srt([said(text)])


def test_a_long_text_is_several_cues_that_share_its_time_by_length() -> None:
    shown = by_ffmpeg(srt([said(LONG, 10.0, 40.0)]), "srt")

    assert len(shown) == 4
    assert shown[0][0] == 10_000
    assert shown[-1][1] == 40_000
    assert [end for _, end, _ in shown[:-1]] == [start for start, _, _ in shown[1:]]
    assert all(6_000 < end - start < 9_000 for start, end, _ in shown)
    assert " ".join(text.replace("\n", " ") for _, _, text in shown) == LONG.strip()


def test_a_script_without_blanks_is_broken_at_half_as_many_characters() -> None:
    ideographs = "\N{CJK UNIFIED IDEOGRAPH-4F60}\N{CJK UNIFIED IDEOGRAPH-597D}" * 50

    lines = [line for _, _, text in by_ffmpeg(srt([said(ideographs)]), "srt") for line in text.split("\n")]

    assert "".join(lines) == ideographs
    assert {len(line) for line in lines[:-1]} == {21}


def test_a_mark_stays_on_its_letter() -> None:
    word = "n\N{COMBINING TILDE}" * 60

    lines = [line for _, _, text in by_ffmpeg(srt([said(word)]), "srt") for line in text.split("\n")]

    assert [len(line) for line in lines] == [84, 36]


@pytest.mark.parametrize(
    "text",
    [
        "<i>yes</i>",
        "a --> b",
        "1\n00:00:01,000 --> 00:00:02,000\nno",
        "{\\an8}up",
        "{y:i}no",
        "C:\\New",
        "a < b > c",
        "&amp;",
    ],
)
def test_spoken_markup_is_text(text: str) -> None:
    line = text.replace("\n", " ")

    shown = [" ".join(one.split()) for _, _, one in by_ffmpeg(srt([said(text)]), "srt")]

    assert shown == [line.translate(IN_SUBRIP)]
    assert vtt([said(text)]).endswith(f".000\n{html.escape(line, quote=False)}\n")


def test_a_blank_line_does_not_end_a_cue() -> None:
    assert len(by_parser(srt([said("one\n\n\ntwo\r\n \u2028three")]), "srt")) == 1
    assert len(by_parser(vtt([said("one\n\n\ntwo\r\n \u2028three")]), "vtt")) == 1


@given(plain_speeches)
def test_a_parser_reads_all_of_the_text(segments: list[Segment]) -> None:
    expected = letters("".join(one.text for one in segments))

    assert letters(html.unescape("".join(text for _, _, text in by_parser(vtt(segments), "vtt")))) == expected


@given(plain_speeches.filter(lambda segments: any(one.text.strip() for one in segments)))
def test_ffmpeg_and_the_parser_show_the_same(segments: list[Segment]) -> None:
    in_srt = srt(segments)
    in_vtt = vtt(segments)

    assert set(by_ffmpeg(in_srt, "srt")) == set(by_parser(in_srt, "srt"))
    assert {one[:2] for one in by_ffmpeg(in_vtt, "webvtt")} == {one[:2] for one in by_parser(in_vtt, "vtt")}


@given(speeches)
def test_of_any_speech_cues_are_in_order_and_have_a_length_and_lines_that_fit(segments: list[Segment]) -> None:
    cues = [cue.split("\n") for cue in vtt(segments).removeprefix("WEBVTT\n\n").removesuffix("\n").split("\n\n") if cue]

    timings = [TIMINGS.fullmatch(cue[0]) for cue in cues]
    spans = [(one[1], one[2]) for one in timings if one is not None]
    assert len(spans) == len(cues)
    assert all(start < end for start, end in spans)
    assert [start for start, _ in spans] == sorted(start for start, _ in spans)
    assert all(2 <= len(cue) <= 3 and all(cue) for cue in cues)


@given(st.text("abc   ", max_size=400))
def test_no_line_is_longer_than_42_columns_and_no_word_that_fits_is_broken(text: str) -> None:
    lines = [line for _, _, shown in by_parser(vtt([said(text)]), "vtt") for line in shown.split("\n")]

    assert all(len(line) <= MAX_COLUMNS for line in lines)
    if all(len(word) <= MAX_COLUMNS for word in text.split()):
        assert " ".join(lines).split() == text.split()
