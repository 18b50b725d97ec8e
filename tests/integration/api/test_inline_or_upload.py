"""The choice between inlining and uploading: exact at the limit, and independent of how the network cuts the body."""

import asyncio
import itertools
import random
from pathlib import Path

import pytest

from tests.emulator_process import Emulator
from tests.gateway import Gateway, media, running_gateway
from tests.raw_http import connection, form, head, part

STEP = 196_608


def sound(size: int, seed: int = 0) -> bytes:
    """Make a WAV file of a size."""
    return media("speech.wav")[1][:44] + random.Random(seed).randbytes(size - 44)


async def request_size(gateway: Gateway, emulator: Emulator, data: bytes) -> int:
    answer = await gateway.generate(("prompt", "Grüße\n"), ("file", ("a.wav", data)))
    assert answer.json()["files"][0]["delivery"] == "inline"
    return int(emulator.requests("generateContent")[-1]["body_bytes"])


@pytest.mark.parametrize("size", [1_000, 1_001, 1_002, STEP, STEP + 1, 3 * STEP - 1])
async def test_a_request_of_exactly_the_limit_is_inlined_and_one_byte_more_is_not(
    emulator: Emulator, gateway: Gateway, tmp_path: Path, size: int
) -> None:
    data = sound(size)
    limit = await request_size(gateway, emulator, data)
    delivered = {}

    for allowed in (limit, limit - 1):
        folder = tmp_path / str(allowed)
        async with running_gateway(emulator.url, folder, inline_limit_bytes=allowed) as limited:
            answer = await limited.generate(("prompt", "Grüße\n"), ("file", ("a.wav", data)))
            delivered[allowed] = answer.json()["files"][0]["delivery"]

    assert delivered == {limit: "inline", limit - 1: "uploaded"}


async def test_options_and_turns_count_towards_the_limit(emulator: Emulator, tmp_path: Path) -> None:
    fields = [
        ("system_instruction", "ß" * 300),
        ("response_schema", '{"type": "object"}'),
        ("messages", '[{"role": "user", "content": [{"text": "a"}]}, {"role": "model", "content": [{"text": "b"}]}]'),
    ]
    async with running_gateway(emulator.url, tmp_path) as gateway:
        await gateway.generate(*fields, ("file", ("a.wav", sound(5_000))), ("prompt", "x"))
    limit = emulator.requests("generateContent")[-1]["body_bytes"]
    delivered = []

    for allowed in (limit, limit - 1):
        async with running_gateway(emulator.url, tmp_path / str(allowed), inline_limit_bytes=allowed) as gateway:
            answer = await gateway.generate(*fields, ("file", ("a.wav", sound(5_000))), ("prompt", "x"))
            delivered.append(answer.json()["files"][0]["delivery"])

    assert delivered == ["inline", "uploaded"]


async def test_a_field_that_comes_late_pushes_an_earlier_file_out(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, inline_limit_bytes=10_000) as gateway:
        answer = await gateway.generate(("file", ("a.wav", sound(6_000))), ("prompt", "x" * 3_000))

    assert answer.json()["files"][0]["delivery"] == "uploaded"


SIZES = {"a": 150_000, "b": 250_000, "c": 400_000}


def oracle(order: tuple[str, ...], limit: int, fixed: int, overhead: int, reference: int) -> set[str]:
    """Return the files that spill by the rule, implemented a second time: at each step of a part, and at its end."""
    held: dict[str, int] = {}
    spilled: set[str] = set()
    for name in order:
        size = SIZES[name]
        for at in (*range(STEP, size, STEP), size):
            if name in spilled:
                break
            held[name] = at
            while held:
                inline = sum(overhead + 4 * -(-n // 3) for n in held.values())
                commas = len(held) + len(spilled) - 1 + 1
                if fixed + commas + inline + reference * len(spilled) <= limit:
                    break
                largest = max(held, key=lambda one: (held[one], one == name))
                del held[largest]
                spilled.add(largest)
    return spilled


@pytest.mark.parametrize("order", list(itertools.permutations(SIZES)))
@pytest.mark.parametrize("limit", [300_000, 600_000, 900_000, 1_070_000])
async def test_the_spilled_files_depend_on_the_body_alone(
    emulator: Emulator, tmp_path: Path, order: tuple[str, ...], limit: int
) -> None:
    fixed = len('{"contents":[{"role":"user","parts":[') + len('{"text":"x"}') + len("]}]}")
    overhead = len('{"inlineData":{"mimeType":"audio/wav","data":""}}')
    uri = "https://generativelanguage.googleapis.com/v1beta/files/" + "x" * 40
    reference = len(f'{{"fileData":{{"mimeType":"audio/wav","fileUri":"{uri}"}}}}')
    expected = oracle(order, limit, fixed, overhead, reference)
    parts = [part("file", sound(SIZES[name]), f"{name}.wav") for name in order]
    body = form(part("prompt", b"x"), *parts)
    found = []

    async with running_gateway(emulator.url, tmp_path, inline_limit_bytes=limit) as gateway:
        for cut in (1 << 20, 7_777, 65_536):
            async with connection(gateway.port) as line:
                await line.send(head(length=len(body)))
                for at in range(0, len(body), cut):
                    await line.send(body[at : at + cut])
                    await asyncio.sleep(0)
                answer = (await line.answer()).json
            assert answer.get("files"), answer
            found.append({f["filename"][0] for f in answer["files"] if f["delivery"] == "uploaded"})

    assert found == [expected] * 3


@pytest.mark.parametrize("size", [1, 262_143, 262_144, 262_145, 524_288, 524_289, 600_000, 1_048_576, 1_048_577])
async def test_uploads_of_every_awkward_size_arrive_whole(emulator: Emulator, tmp_path: Path, size: int) -> None:
    data = b"x" * size if size < 44 else sound(size, seed=size)

    async with running_gateway(emulator.url, tmp_path, inline_limit_bytes=1_000, chunk_bytes=524_288) as gateway:
        answer = await gateway.generate(("prompt", "x"), ("file", ("a", data)), ("keep_file", "true"))
        assert answer.status_code == 200, answer.text
        file = answer.json()["files"][0]

    assert emulator.files[0]["sizeBytes"] == str(size)
    assert f"sha256={file['sha256']}" in answer.json()["text"]


async def test_the_last_granule_waits_until_the_whole_form_is_valid(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, inline_limit_bytes=1_000, chunk_bytes=262_144) as gateway:
        answer = await gateway.generate(("file", ("a.wav", sound(800_000))), ("temperature", "hot"))

    assert answer.status_code == 422
    assert emulator.requests("files.finalize") == []
    assert emulator.files == []
    assert emulator.open_sessions() == []


async def test_a_whole_file_is_uploaded_with_its_length_without_a_claim(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, upstream_unknown_length="no") as gateway:
        answer = await gateway.post_form("/api/v1/files", ("file", ("a.wav", sound(900_000))))

    assert answer.status_code == 201
    assert emulator.sessions[0]["declared"] == 900_000


async def test_a_pdf_has_a_limit_of_its_own(emulator: Emulator, tmp_path: Path) -> None:
    async with running_gateway(emulator.url, tmp_path, pdf_inline_limit_bytes=2_000) as gateway:
        answer = await gateway.generate(("prompt", "x"), ("file", media("report.pdf")), ("file", media("shapes.jpg")))

    assert [file["delivery"] for file in answer.json()["files"]] == ["uploaded", "inline"]
