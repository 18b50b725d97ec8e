"""A long task's result while its answers are still arriving."""

from app.tasks.transcriptions.preview import Preview
from app.tasks.transcriptions.reading import Transcript

FIRST = '{"language": "en", "segments": [{"start": "00:01", "end": "00:02", "text": "one"}, {"start": "00:02", "en'
SECOND = '{"segments": [{"start": "00:02", "end": "00:03", "text": "two"}'


def preview() -> Preview[Transcript]:
    return Preview(lambda: Transcript(duration=10, start=None, end=None))


def test_a_preview_has_the_whole_items_so_far() -> None:
    shown = preview()
    shown.begin()
    seen = []

    for piece in FIRST:
        shown.feed(piece)
        seen.append(shown.look().result().text)

    assert seen == sorted(seen, key=len)
    assert set(seen) == {"", "one"}


def test_a_later_answer_goes_on() -> None:
    shown = preview()
    shown.begin()
    shown.feed(FIRST)
    shown.begin()
    shown.feed(SECOND)

    assert shown.look().result().text == "one two"


def test_an_unreadable_answer_adds_no_items() -> None:
    shown = preview()
    shown.begin()
    shown.feed("I cannot do that.")

    assert shown.look().result().text == ""
