"""Parts of an answer besides plain text: a picture, a sound, the segments of a transcription.

Each is made up, and the same for the same request. It knows options and media, and nothing of responses.
"""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import pybase64
from PIL import Image

from gemini_emulator.generation.options import Transcription
from gemini_emulator.generation.prompt import Prompt
from gemini_emulator.generation.tasks.passages import Passage, loud_passages
from gemini_emulator.tokens import text_tokens

_PICTURE_TOKENS = 1_120
_SOUND_TOKENS = 32
_SIDE_PX = 64
_RATE_HZ = 24_000


@dataclass(frozen=True, slots=True)
class Extra:
    """A part as the API writes it, with its modality and tokens."""

    part: Mapping[str, object]
    modality: str
    tokens: int


def extras_of(prompt: Prompt) -> tuple[Extra, ...]:
    """Return the parts that the model gives beside or instead of text; decodes media, so call it in a thread."""
    options = prompt.options
    if options.transcription is not None:
        passages = loud_passages(prompt.media)
        return tuple(_segment(passage, options.transcription) for passage in passages)
    if options.makes == "AUDIO":
        sound = {"mimeType": f"audio/L16;codec=pcm;rate={_RATE_HZ}", "data": _tone()}
        return (Extra({"inlineData": sound}, "AUDIO", _SOUND_TOKENS),)
    if options.makes == "IMAGE" and (not options.modalities or "IMAGE" in options.modalities):
        return (Extra({"inlineData": {"mimeType": "image/png", "data": _picture()}}, "IMAGE", _PICTURE_TOKENS),)
    return ()


def gives_text(prompt: Prompt) -> bool:
    """Return whether the answer has text of its own beside its extra parts."""
    options = prompt.options
    if options.transcription is not None or options.makes == "AUDIO":
        return False
    return options.makes != "IMAGE" or options.modalities != {"IMAGE"}


def _segment(passage: Passage, asked: Transcription) -> Extra:
    text = f"[{passage.name}, {passage.start:.2f} s to {passage.end:.2f} s]"
    if not asked.has_speakers and not asked.has_words:
        return Extra({"text": f"{text} "}, "TEXT", text_tokens(text))
    segment: dict[str, object] = {
        "text": text,
        "languageCode": asked.language,
        "startOffset": f"{passage.start:.3f}s",
        "endOffset": f"{passage.end:.3f}s",
    }
    if asked.has_speakers:
        segment["speakerLabel"] = "spk_1"
    if asked.has_words:
        segment["words"] = _words(text.split(), passage)
    return Extra({"audioTranscription": segment}, "TEXT", text_tokens(text))


def _words(words: list[str], passage: Passage) -> list[dict[str, object]]:
    step_s = (passage.end - passage.start) / len(words)
    starts = [passage.start + index * step_s for index in range(len(words) + 1)]
    return [
        {"word": word, "startOffset": f"{start:.3f}s", "endOffset": f"{end:.3f}s"}
        for word, start, end in zip(words, starts, starts[1:], strict=False)
    ]


@lru_cache(maxsize=1)
def _picture() -> str:
    written = io.BytesIO()
    Image.new("RGB", (_SIDE_PX, _SIDE_PX), "blue").save(written, "PNG")
    return pybase64.b64encode(written.getvalue()).decode()


@lru_cache(maxsize=1)
def _tone() -> str:
    samples = (round(8_000 * math.sin(2 * math.pi * 440 * at / _RATE_HZ)) for at in range(_RATE_HZ))
    return pybase64.b64encode(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)).decode()
