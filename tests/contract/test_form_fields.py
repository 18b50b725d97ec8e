"""Each field of the document goes through a real request, and the parser knows no field that the document hides."""

import hashlib
from pathlib import Path

import orjson
import pytest
from pydantic import BaseModel

from app.api import files, prompt_form
from app.api.forms import FormSpec
from app.tasks.captions import endpoint as captions
from app.tasks.comparisons import endpoint as comparisons
from app.tasks.descriptions import endpoint as videos
from app.tasks.detections import endpoint as detections
from app.tasks.markdown import endpoint as documents
from app.tasks.segmentations import endpoint as segmentations
from app.tasks.transcriptions import endpoint as audio
from tests.emulator_process import emulator_process
from tests.gateway import media, running_gateway

DOCUMENT = orjson.loads((Path(__file__).parents[2] / "openapi/openapi.json").read_bytes())
FILE = ("file", media("speech.wav"))
DIGEST = "092ba26ff8d2b3222a149b926140d475796109c7606467c7657f6a13510c5410"
GENERATE = {
    "model": "gemini-3.5-flash",
    "system_instruction": "Be brief.",
    "temperature": "0.5",
    "top_p": "0.5",
    "top_k": "3",
    "max_output_tokens": "900",
    "stop": "END",
    "seed": "1",
    "thinking_level": "low",
    "include_thoughts": "true",
    "safety": "off",
    "stream": "false",
    "timeout_s": "30",
    "prompt": "Hello",
    "contents": '[{"file": 0}]',
    "messages": '[{"role": "user", "content": [{"text": "Hello"}]}]',
    "file_size": "237008",
    "sha256": DIGEST,
    "charset": "utf-8",
    "start": "1",
    "end": "0:02",
    "fps": "1",
    "media_resolution": "low",
    "response_schema": '{"type": "object"}',
    "keep_file": "false",
    "metadata": '{"a": 1}',
}
UPLOAD = {"filename": "a.wav", "file_size": "237008", "sha256": DIGEST, "charset": "utf-8"}


TASK = {
    "prompt": "Mind the hats.",
    "model": "gemini-3.5-flash",
    "language": "Welsh",
    "keep_file": "true",
    "timeout_s": "30",
    "metadata": '{"a": 1}',
    "labels": "red,blue",
    "overlay": "true",
    "mask": "full",
    "start": "1",
    "end": "0:02",
    "fps": "1",
    "translate_to": "Welsh",
    "format": "vtt",
    "pages": "1,2-3",
}
TASKS = [
    ("CaptionForm", "images/captions", "shapes.png", captions.CAPTION.form),
    ("DetectionForm", "images/detections", "shapes.png", detections.DETECTION),
    ("SegmentationForm", "images/segmentations", "shapes.png", segmentations.SEGMENTATION),
    ("ComparisonForm", "images/comparisons", "shapes.png", comparisons.COMPARISON.form),
    ("TranscriptionForm", "audio/transcriptions", "speech.wav", audio.TRANSCRIPTION.form),
    ("SubtitlesForm", "audio/subtitles", "speech.wav", audio.SUBTITLES.form),
    ("MarkdownForm", "documents/markdown", "report.pdf", documents.MARKDOWN.form),
    ("VideoForm", "videos/descriptions", "scenes.mp4", videos.VIDEO.form),
]


def fields_of(form: str) -> set[str]:
    return set(DOCUMENT["components"]["schemas"][form]["properties"]) - {"file"}


@pytest.mark.parametrize(
    ("form", "path", "values", "spec"),
    [
        ("GenerateForm", "/api/v1/generate", GENERATE, prompt_form.SPEC),
        ("UploadForm", "/api/v1/files", UPLOAD, files.SPEC),
    ],
)
async def test_every_field_of_the_document_is_taken(
    tmp_path: Path, form: str, path: str, values: dict[str, str], spec: FormSpec[BaseModel]
) -> None:
    documented = fields_of(form)
    answers = {}

    with emulator_process() as emulator:
        async with running_gateway(emulator.url, tmp_path) as gateway:
            kept = (await gateway.post_form("/api/v1/files", FILE)).json()["id"]
            for name in documented:
                answer = await gateway.post_form(path, (name, {**values, "file_id": kept}[name]), FILE)
                answers[name] = (answer.status_code, answer.text if answer.status_code >= 300 else "")

    assert {name: answer for name, answer in answers.items() if answer[0] >= 300} == {}
    assert documented == set(spec.fields)


@pytest.mark.parametrize(("form", "path", "name", "spec"), TASKS)
async def test_every_field_of_a_tasks_form_is_taken(
    tmp_path: Path, form: str, path: str, name: str, spec: FormSpec[BaseModel]
) -> None:
    documented = fields_of(form)
    file = ("file", media(name))
    data = file[1][1]
    values = TASK | {"file_size": str(len(data)), "sha256": hashlib.sha256(data).hexdigest()}
    another = [file] if form == "ComparisonForm" else []
    answers = {}

    with emulator_process() as emulator:
        async with running_gateway(emulator.url, tmp_path) as gateway:
            values["file_id"] = (await gateway.post_form("/api/v1/files", file)).json()["id"]
            for field in documented:
                parts = [*another, *([] if field == "file_id" else [file])]
                answer = await gateway.post_form(f"/api/v1/{path}", (field, values[field]), *parts)
                answers[field] = (answer.status_code, answer.text if answer.status_code >= 300 else "")

    assert {field: answer for field, answer in answers.items() if answer[0] >= 300} == {}
    assert documented == set(spec.fields)


def test_every_form_of_the_document_is_among_these() -> None:
    forms = {name for name in DOCUMENT["components"]["schemas"] if name.endswith("Form")}

    assert forms == {"GenerateForm", "UploadForm", *(form for form, *_ in TASKS)}
