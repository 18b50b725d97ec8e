"""Gemini's time under clocks that jump, drift, lie and stop."""

import logging
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gemini.clock import (
    CONFIRMING_S,
    KEPT_AFTER_EXPIRY_S,
    LARGEST_SKEW_S,
    WARNING_INTERVAL_S,
    GeminiClock,
)

START = 1_750_000_000.0
DAYS = 3 * 86_400.0
TOLERANCE_S = 6.0


class World:
    """The true time, and how far the machine's clock and Gemini's Date are ahead of it."""

    def __init__(self, *, machine_s: float = 0.0) -> None:
        self.now = START
        self.machine_s = machine_s
        self.date_s = 0.0
        self.suspended_s = 0.0
        self.clock = GeminiClock(
            machine=lambda: self.now + self.machine_s, monotonic=lambda: self.now - self.suspended_s - START
        )

    def answer(self) -> None:
        self.clock.observe(formatdate(self.now + self.date_s, usegmt=True))

    def run(self, seconds: float, *, every_s: float = 10.0) -> list[float | None]:
        """Let time pass with an answer every few seconds; return the agreed times, answer by answer."""
        agreed = []
        for _ in range(int(seconds / every_s)):
            self.now += every_s
            self.answer()
            agreed.append(self.clock.agreed())
        return agreed

    def is_right(self) -> bool:
        return abs(self.clock.now() - self.now) < TOLERANCE_S and abs(self.clock.expiry_time() - self.now) < TOLERANCE_S


def test_clocks_that_agree_are_agreed_from_the_first_answer_on() -> None:
    world = World()
    before = world.clock.agreed()
    world.answer()

    assert before is None
    assert world.clock.agreed() == pytest.approx(world.now, abs=TOLERANCE_S)
    assert world.clock.forgettable() == pytest.approx(world.now - KEPT_AFTER_EXPIRY_S, abs=TOLERANCE_S)


@pytest.mark.parametrize("skew_s", [DAYS, -DAYS, 700.0, -700.0])
def test_a_date_header_that_is_wrong_for_a_minute_moves_nothing(
    skew_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    world.run(600)
    world.date_s = skew_s
    with caplog.at_level(logging.WARNING, "gateway.clock"):
        during = world.run(60)
        expiry = world.clock.expiry_time()
    world.date_s = 0.0
    after = world.run(CONFIRMING_S + 20)

    assert set(during) == {None}
    assert expiry <= world.now
    assert len(caplog.records) == 1
    assert after[0] is None
    assert after[-1] == pytest.approx(world.now, abs=TOLERANCE_S)
    assert world.is_right()


@pytest.mark.parametrize("skew_s", [DAYS, -DAYS])
def test_a_machine_clock_that_jumps_for_a_minute_moves_nothing(skew_s: float) -> None:
    world = World()
    world.run(600)
    world.machine_s = skew_s
    during = world.run(60)
    was_right = world.is_right()
    world.machine_s = 0.0
    after = world.run(CONFIRMING_S + 20)

    assert set(during) == {None}
    assert was_right
    assert after[-1] == pytest.approx(world.now, abs=TOLERANCE_S)


@pytest.mark.parametrize("skew_s", [DAYS, -DAYS])
def test_a_start_under_a_wrong_machine_clock_agrees_after_the_clock_was_set(skew_s: float) -> None:
    world = World(machine_s=skew_s)
    during = world.run(600)
    expiry = world.clock.expiry_time()
    world.machine_s = 0.0
    world.run(CONFIRMING_S + 20)

    assert set(during) == {None}
    assert expiry < world.now
    assert world.is_right()
    assert world.clock.agreed() is not None


def test_clocks_that_differ_for_good_are_a_warning_every_hour_and_never_a_fact(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.date_s = DAYS
    with caplog.at_level(logging.WARNING, "gateway.clock"):
        agreed = world.run(3 * WARNING_INTERVAL_S)

    assert set(agreed) == {None}
    assert abs(world.clock.now() - world.now) < TOLERANCE_S
    assert len(caplog.records) == 3
    assert "ahead of this machine's" in caplog.text


def test_a_suspended_machine_finds_the_time_again_when_both_clocks_agree() -> None:
    world = World()
    world.run(60)
    world.now += 5 * 3_600
    world.suspended_s += 5 * 3_600
    early = world.run(60)
    world.run(2 * CONFIRMING_S)

    assert set(early) == {None}
    assert world.is_right()
    assert world.clock.agreed() is not None


def test_a_skew_of_minutes_is_taken_from_the_first_answer() -> None:
    world = World(machine_s=-400.0)
    world.answer()

    assert world.is_right()


def test_a_skew_that_begins_later_is_adopted_when_minutes_of_answers_confirm_it() -> None:
    world = World()
    world.run(60)
    world.date_s = 300.0
    world.run(60)
    early = world.clock.now() - world.now
    world.run(CONFIRMING_S)

    assert abs(early) < TOLERANCE_S
    assert world.clock.now() - world.now == pytest.approx(300.0, abs=TOLERANCE_S)


def test_answers_that_come_at_once_confirm_nothing() -> None:
    world = World()
    world.run(60)
    world.date_s = 300.0
    for _ in range(100):
        world.answer()

    assert abs(world.clock.now() - world.now) < TOLERANCE_S


@given(st.text() | st.dates().map(lambda day: f"{day:%a, %d %b %Y} 25:61:00 +9999"))
def test_any_text_as_a_date_header_leaves_the_time_within_its_bound(text: str) -> None:
    world = World()
    world.clock.observe(text)
    world.clock.observe(None)

    assert abs(world.clock.now() - world.now) <= LARGEST_SKEW_S + 1


@given(st.lists(st.tuples(st.sampled_from((0.0, DAYS, -DAYS, 500.0, -500.0, 700.0)), st.integers(1, 400)), max_size=30))
def test_no_course_of_dates_agrees_on_a_time_beyond_the_bound(course: list[tuple[float, int]]) -> None:
    world = World()
    for date_s, seconds in course:
        world.date_s = date_s
        for agreed in world.run(seconds):
            assert agreed is None or agreed <= world.now + LARGEST_SKEW_S + 1
        assert world.clock.expiry_time() <= world.now + LARGEST_SKEW_S + 1
