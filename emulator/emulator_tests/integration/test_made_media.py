"""Models whose answers are more than text: pictures, speech, transcriptions; and sound alone in a film's container."""

import io

import av
import pytest
from av.audio.stream import AudioStream

from emulator_tests.integration.calls import (
    MEDIA,
    Emulator,
    Json,
    as_inline,
    error_of,
    media_part,
    text_of,
)

TRANSCRIBE = "gemini-3.5-transcribe"


def parts_of(answer: Json) -> list[Json]:
    parts: list[Json] = answer["candidates"][0]["content"]["parts"]
    return parts


@pytest.mark.parametrize(("modalities", "has_text"), [(None, True), (["TEXT", "IMAGE"], True), (["IMAGE"], False)])
def test_a_picture_model_gives_a_picture_and_counts_it(
    emulator: Emulator, modalities: list[str] | None, has_text: bool
) -> None:
    config = {"responseModalities": modalities}

    answer = emulator.generate("Draw", model="gemini-3-pro-image", config=config).json()

    *texts, picture = parts_of(answer)
    details = {one["modality"]: one["tokenCount"] for one in answer["usageMetadata"]["candidatesTokensDetails"]}
    assert picture["inlineData"]["mimeType"] == "image/png"
    assert details["IMAGE"] == 1_120
    assert (bool(texts), "TEXT" in details) == (has_text, has_text)
    assert answer["usageMetadata"]["candidatesTokenCount"] == sum(details.values())


def test_a_picture_model_gives_text_alone_on_request(emulator: Emulator) -> None:
    config = {"responseModalities": ["TEXT"]}

    assert len(parts_of(emulator.generate("Draw", model="gemini-3-pro-image", config=config).json())) == 1


def test_a_speech_model_gives_sound_and_counts_it(emulator: Emulator) -> None:
    answer = emulator.generate("Say", model="gemini-3.8-flash-tts", config={"responseModalities": ["AUDIO"]}).json()

    assert parts_of(answer)[0]["inlineData"]["mimeType"].startswith("audio/L16")
    assert answer["usageMetadata"]["candidatesTokensDetails"] == [{"modality": "AUDIO", "tokenCount": 32}]


def test_a_transcribing_model_answers_with_text(emulator: Emulator) -> None:
    text = text_of(emulator.generate(media_part("speech.wav", "audio/wav"), model=TRANSCRIBE))

    assert text.startswith("[loud passage 1, 0.51 s to 2.98 s]")


def test_a_transcribing_model_gives_speakers_and_times_of_words(emulator: Emulator) -> None:
    config: Json = {"audioTranscriptionConfig": {"diarization": True, "wordTimestamp": True, "languageCodes": ["de"]}}

    answer = emulator.generate(media_part("speech.wav", "audio/wav"), model=TRANSCRIBE, config=config).json()

    segment = parts_of(answer)[0]["audioTranscription"]
    assert (segment["speakerLabel"], segment["languageCode"], segment["startOffset"]) == ("spk_1", "de", "0.510s")
    assert segment["words"][0]["word"] == "[loud"
    assert segment["words"][-1]["endOffset"] == segment["endOffset"]


def test_smart_transcription_has_no_speakers(emulator: Emulator) -> None:
    config: Json = {"audioTranscriptionConfig": {"mode": "SMART", "diarization": True}}

    answer = emulator.generate(media_part("speech.wav", "audio/wav"), model=TRANSCRIBE, config=config)

    assert error_of(answer)[0] == 400


@pytest.mark.parametrize(
    ("container", "codec", "mime_type"),
    [("mp4", "aac", "video/mp4"), ("webm", "libopus", "video/webm"), ("asf", "wmav2", "video/wmv")],
)
def test_sound_alone_in_a_films_container_is_heard(
    emulator: Emulator, container: str, codec: str, mime_type: str
) -> None:
    answer = emulator.generate(as_inline(sound_in(container, codec), mime_type))

    line = text_of(answer).splitlines()[-1]
    details = {one["modality"] for one in answer.json()["usageMetadata"]["promptTokensDetails"]}
    assert "loud" in line
    assert details == {"AUDIO"}


def sound_in(container: str, codec: str) -> bytes:
    written = io.BytesIO()
    with (
        av.open(str(MEDIA / "speech.wav")) as source,
        av.open(written, mode="w", format=container) as target,
    ):
        stream = target.add_stream(codec, rate=44_100 if codec == "wmav2" else 48_000)
        assert isinstance(stream, AudioStream)
        stream.bit_rate = 64_000
        for frame in source.decode(audio=0):
            frame.pts = None
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return written.getvalue()
