"""A client that openapi-python-client generates from the document compiles, imports and works."""

import compileall
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.dev_process import DevProcess, dev_process, environment
from tests.contract.pages import ROOT, blocks
from tests.gateway import MEDIA

IMPORT_ALL = """
import importlib, pkgutil
import gemini_gateway_client as client
for module in pkgutil.walk_packages(client.__path__, "gemini_gateway_client."):
    importlib.import_module(module.name)
"""
UPLOAD_AND_LIST = """
import json, sys
from pathlib import Path
from gemini_gateway_client import Client
from gemini_gateway_client.api.default import delete_file, get_file, list_files, upload_file
from gemini_gateway_client.models import UploadForm
from gemini_gateway_client.types import File

client = Client(sys.argv[1], raise_on_unexpected_status=True)
with Path("talk.mp3").open("rb") as sound:
    made = upload_file.sync(client=client, body=UploadForm(file=File(sound, "talk.mp3", "audio/mpeg")))
got = get_file.sync(made.id, client=client, wait=30)
listed = list_files.sync(client=client, sha256=made.sha256)
deleted = delete_file.sync_detailed(made.id, client=client)
gone = get_file.sync(made.id, client=client)
print(json.dumps({
    "name": made.filename, "state": got.state.value, "duration": got.media.duration,
    "listed": [file.id for file in listed.data] == [made.id], "deleted": deleted.status_code, "gone": gone.code,
}))
"""
CHAT_COUNT_AND_MODELS = """
import json, sys
from gemini_gateway_client import Client
from gemini_gateway_client.api.default import chat, count_tokens, get_model, list_models
from gemini_gateway_client.models import ChatRequest, GenerateForm, Message, MessagePart, MessageRole

client = Client(sys.argv[1], raise_on_unexpected_status=True)
message = Message(role=MessageRole.USER, content=[MessagePart(text="Hello there")])
answer = chat.sync(client=client, body=ChatRequest(messages=[message]))
count = count_tokens.sync(client=client, body=GenerateForm(prompt=["Hello there"]))
models = list_models.sync(client=client, limit=200)
print(json.dumps({
    "text": answer.text, "counted": count.total_tokens == answer.usage.input_tokens,
    "default": [model.id for model in models.data if model.is_default],
    "alias": get_model.sync("gemini-2.0-flash", client=client).id,
}))
"""
TASKS = """
import json, sys
from pathlib import Path
from gemini_gateway_client import Client
from gemini_gateway_client.api.default import detect_objects, document_to_markdown, make_subtitles, transcribe_audio
from gemini_gateway_client.models import DetectionForm, MarkdownForm, SubtitlesForm, SubtitlesFormFormat
from gemini_gateway_client.models import TranscriptionForm
from gemini_gateway_client.types import File

client = Client(sys.argv[1], raise_on_unexpected_status=True, timeout=60)
picture = File(Path("photo.jpg").open("rb"), "photo.jpg", "image/jpeg")
found = detect_objects.sync(client=client, body=DetectionForm(file=picture, labels=["red", "triangle"], overlay=True))
sound = File(Path("talk.mp3").open("rb"), "talk.mp3", "audio/mpeg")
told = transcribe_audio.sync(client=client, body=TranscriptionForm(file=sound, start=3.5))
sound = File(Path("talk.mp3").open("rb"), "talk.mp3", "audio/mpeg")
cues = make_subtitles.sync(client=client, body=SubtitlesForm(file=sound, format_=SubtitlesFormFormat.VTT))
report = File(Path("report.pdf").open("rb"), "report.pdf", "application/pdf")
pages = document_to_markdown.sync(client=client, body=MarkdownForm(file=report, pages="1,3"))
print(json.dumps({
    "width": found.image.width, "labels": sorted(item.label for item in found.objects),
    "left": min(item.box.x_min for item in found.objects), "overlay": found.overlay.mime_type,
    "segments": len(told.segments), "cues": cues.split()[0], "pages": [page.page for page in pages.pages],
}))
"""
RAW_UPLOAD = """
import sys
from pathlib import Path
from gemini_gateway_client import Client
from gemini_gateway_client.api.default import upload_raw_file
from gemini_gateway_client.types import File

with Path("photo.jpg").open("rb") as picture:
    made = upload_raw_file.sync("photo.jpg", client=Client(sys.argv[1]), body=File(picture))
print(made.mime_type, made.media.width, made.media.height)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the generated client and the files that the programs read."""
    path = tmp_path_factory.mktemp("client")
    document = str(ROOT / "openapi" / "openapi.json")
    generated = subprocess.run(
        ["openapi-python-client", "generate", "--path", document, "--output-path", "gateway-client"],
        cwd=path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert generated.returncode == 0, generated.stdout + generated.stderr
    assert "warning" not in (generated.stdout + generated.stderr).lower()
    (path / "talk.mp3").write_bytes((MEDIA / "speech.mp3").read_bytes())
    (path / "photo.jpg").write_bytes((MEDIA / "shapes.jpg").read_bytes())
    (path / "report.pdf").write_bytes((MEDIA / "report.pdf").read_bytes())
    return path


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevProcess]:
    """Yield a running gateway."""
    with dev_process(tmp_path_factory.mktemp("dev")) as process:
        yield process


def run(program: str, folder: Path, *arguments: str) -> str:
    """Run a program with the generated client and give its output; it must succeed."""
    ran = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        env=environment(PYTHONPATH=str(folder / "gateway-client")),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_every_module_of_the_client_compiles_and_imports(folder: Path) -> None:
    assert compileall.compile_dir(folder / "gateway-client", quiet=1)

    run(IMPORT_ALL, folder)


def test_the_generated_client_keeps_the_prompt_order_by_contents(dev: DevProcess, folder: Path) -> None:
    [program] = [block.text for block in blocks("python") if "gemini_gateway_client" in block.text]

    text = run(dev.here(program), folder)

    places = [text.index(piece) for piece in ("Who speaks here:", "audio/mpeg", "and who is this?", "image/jpeg")]
    assert places[0] < places[2]
    assert places[1] < places[3]


def test_it_uploads_a_file_gets_it_lists_it_and_deletes_it(dev: DevProcess, folder: Path) -> None:
    told = json.loads(run(UPLOAD_AND_LIST, folder, dev.url))

    assert 6 < told.pop("duration") < 9
    assert told == {
        "name": "talk.mp3",
        "state": "active",
        "listed": True,
        "deleted": 204,
        "gone": "file-not-found",
    }


def test_it_uploads_a_raw_body(dev: DevProcess, folder: Path) -> None:
    assert run(RAW_UPLOAD, folder, dev.url).split() == ["image/jpeg", "640", "480"]


def test_the_generated_client_chats_counts_and_lists_models(dev: DevProcess, folder: Path) -> None:
    told = json.loads(run(CHAT_COUNT_AND_MODELS, folder, dev.url))

    assert "Hello there" in told.pop("text")
    assert told == {"counted": True, "default": ["gemini-3.8-flash"], "alias": "gemini-3.5-flash-lite"}


def test_the_generated_client_runs_tasks_with_typed_fields(dev: DevProcess, folder: Path) -> None:
    told = json.loads(run(TASKS, folder, dev.url))

    assert abs(told.pop("left") - 50) <= 2
    assert told == {
        "width": 640,
        "labels": ["red", "triangle"],
        "overlay": "image/png",
        "segments": 1,
        "cues": "WEBVTT",
        "pages": [1, 3],
    }
