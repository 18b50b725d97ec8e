import io
import wave

import numpy as np
import pytest

from emulator_tests.unit.recording import SOUND_FORMATS, record, tones
from gemini_emulator.senses.sound import Passage, hear
from gemini_emulator.senses.unreadable import UnreadableMediaError

PIECES = ((0.5, False), (1.2, True), (0.2, False), (0.7, True), (1.0, False), (0.8, True), (0.5, False))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("file_format", sorted(SOUND_FORMATS))
def test_passages_and_duration_are_those_that_were_recorded(file_format: str, channels: int) -> None:
    data = record(tones(PIECES, rate=48_000, channels=channels), file_format, rate=48_000)

    sound = hear(data)

    assert sound.duration == pytest.approx(4.9, abs=0.05)
    assert (sound.sample_rate, sound.channels) == (48_000, channels)
    assert [passage.is_loud for passage in sound.passages] == [False, True, False, True, False]
    assert [passage.end for passage in sound.passages] == pytest.approx([0.5, 2.6, 3.6, 4.4, 4.9], abs=0.05)


def test_passages_cover_the_recording_without_a_gap() -> None:
    sound = hear(record(tones(PIECES, rate=8_000), "wav", rate=8_000))

    starts = [passage.start for passage in sound.passages]
    ends = [passage.end for passage in sound.passages]
    assert starts == [0.0, *ends[:-1]]
    assert ends[-1] == sound.duration


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (0.25, [(0.0, 2.25, True)]),
        (0.35, [(0.0, 1.0, True), (1.0, 1.35, False), (1.35, 2.35, True)]),
    ],
)
def test_a_gap_shorter_than_three_tenths_of_a_second_belongs_to_the_passage(
    gap: float, expected: list[tuple[float, float, bool]]
) -> None:
    sound = hear(record(tones([(1.0, True), (gap, False), (1.0, True)], rate=16_000), "wav", rate=16_000))

    assert sound.passages == tuple(Passage(*passage) for passage in expected)


def test_a_click_is_no_passage() -> None:
    sound = hear(record(tones([(1.0, False), (0.02, True), (1.0, False)], rate=16_000), "wav", rate=16_000))

    assert sound.passages == (Passage(0.0, 2.02, is_loud=False),)


def test_dither_is_silence() -> None:
    dither = np.random.default_rng(0).integers(-1, 2, (16_000, 1)).astype(np.int16)

    sound = hear(record(dither, "wav", rate=16_000))

    assert sound.passages == (Passage(0.0, 1.0, is_loud=False),)


def test_a_recording_that_is_cut_is_heard_as_far_as_it_goes() -> None:
    whole = record(tones([(4.0, True)], rate=16_000), "wav", rate=16_000)

    sound = hear(whole[: len(whole) // 2])

    assert sound.duration == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(
    ("mime_type", "duration", "rate"),
    [
        ("audio/L16;rate=16000", 1.5, 16_000),
        ("audio/l16", 3.0, 8_000),
        ("audio/pcm; rate=24000; channels=2", 0.5, 24_000),
    ],
)
def test_samples_without_a_header_are_read_as_their_type_says(mime_type: str, duration: float, rate: int) -> None:
    samples = tones([(1.5, True)], rate=16_000).tobytes()

    sound = hear(samples, mime_type)

    assert (sound.duration, sound.sample_rate) == (duration, rate)


def test_a_recording_of_many_channels_is_heard() -> None:
    out = io.BytesIO()
    with wave.open(out, "wb") as recorder:
        recorder.setnchannels(10)
        recorder.setsampwidth(2)
        recorder.setframerate(16_000)
        recorder.writeframes(tones([(1.0, True), (1.0, False)], rate=16_000, channels=10).tobytes())

    sound = hear(out.getvalue())

    assert (sound.channels, sound.passages) == (10, (Passage(0.0, 1.0, is_loud=True), Passage(1.0, 2.0, is_loud=False)))


@pytest.mark.parametrize("data", [b"", b"RIFF", b"not a sound at all" * 100, bytes(10_000)])
def test_bytes_that_are_no_sound_are_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableMediaError):
        hear(data)
