"""The overlap of a later answer with the kept items."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tasks.transcriptions.joining import Known, Overlap, after_words, plain, word_count


@dataclass(frozen=True)
class Speech:
    """A stretch of speech."""

    start: float
    end: float
    text: str

    @property
    def plain(self) -> str:
        return plain(self.text)


def overlap(*kept: tuple[float, float, str]) -> Overlap:
    return Overlap(Speech(*one) for one in kept)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, there!", "hello there"),
        ("STRASSE Straße", "strasse strasse"),
        ("don't don\u2019t", "don t don t"),
        ("a_b 12.5", "a b 12 5"),
        ("你好。吗", "你 好 吗"),
        ("I say 你好", "i say 你 好"),
        ("\u266a \u266b", "\u266a\u266b"),
    ],
)
def test_words_are_letters_and_digits(text: str, words: str) -> None:
    assert plain(text) == words


@pytest.mark.parametrize(
    ("text", "count", "rest"),
    [
        ("How are you? Fine.", 3, "Fine."),
        ('How are you? "Fine," he said.', 3, '"Fine," he said.'),
        ("One - two", 1, "two"),
        ("你好。很好", 2, "很好"),
    ],
)
def test_after_words_begins_with_a_word_or_its_opening_mark(text: str, count: int, rest: str) -> None:
    assert after_words(text, count) == rest


@given(st.text(min_size=1).filter(str.strip), st.data())
def test_after_words_has_all_other_words(text: str, data: st.DataObject) -> None:
    words = plain(text).split(" ")
    if word_count(plain(text)) > 1:
        count = data.draw(st.integers(1, len(words) - 1))

        assert plain(after_words(text, count)).split(" ") == words[count:]


KEPT = overlap((0, 1, "Hello there."), (1, 2, "How are you?"))


@pytest.mark.parametrize(
    ("speech", "known"),
    [
        (Speech(0, 2, "Hello there. How are you?"), Known(5, 2)),
        (Speech(1.5, 2, "are you"), Known(2, 2)),
        (Speech(1.5, 4, "Are you well?"), Known(2, 2)),
        (Speech(1, 4, "How are things?"), Known(0, 1)),
        (Speech(1.5, 4, "You!"), Known(0, 1.5)),
        (Speech(2, 3, "How are you?"), Known(0, 2)),
        (Speech(0, 1, "the"), Known(0, 0)),
    ],
)
def test_only_words_kept_at_about_the_same_time_are_known(speech: Speech, known: Known) -> None:
    assert KEPT.known(speech) == known


def test_a_long_stretch_is_known_though_others_began_later() -> None:
    kept = overlap(
        (0, 600, "so I went and told him all that had happened"), *((n, n + 1, f"aha {n}") for n in range(60))
    )

    assert kept.known(Speech(30, 31, "told him all")).words == 3


def test_a_single_word_is_known_if_a_kept_stretch_has_only_that_word() -> None:
    assert overlap((0, 1, "Did you say yes"), (1, 2, "Yes.")).known(Speech(1, 4, "Yes, I did.")) == Known(1, 2)
    assert overlap((0, 1, "Did you say yes")).known(Speech(0.7, 4, "Yes, I did.")) == Known(0, 0.7)


def test_words_may_be_known_before_someone_else_cuts_in() -> None:
    kept = overlap((0, 10, "I went home and"), (8, 9, "Really?"))

    assert kept.known(Speech(0, 14, "I went home and slept.")) == Known(4, 10)


@given(
    st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5), st.lists(st.sampled_from("ab"), min_size=1)), min_size=1),
    st.tuples(st.floats(0, 5), st.floats(0, 5), st.lists(st.sampled_from("ab"), min_size=1)),
)
def test_known_words_were_kept(
    kept: list[tuple[float, float, list[str]]], told: tuple[float, float, list[str]]
) -> None:
    stretches = [Speech(start, start + length, " ".join(words)) for start, length, words in kept]
    start, length, words = told

    known = Overlap(stretches).known(Speech(start, start + length, " ".join(words)))

    in_order = " ".join(one.text for one in sorted(stretches, key=lambda one: one.start))
    assert f" {' '.join(words[: known.words])} " in f" {in_order} " or known.words == 0


def test_stretches_without_times_have_no_shift() -> None:
    assert KEPT.shift([], 0.0, 100.0) == 0.0
