"""Scopes under odd spellings of paths and methods: a key reaches nothing that its scope does not open."""

import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clients.identity import Scope
from tests.closed_gateway import Closed, closed_gateway
from tests.emulator_process import Emulator
from tests.hostile.wire import Answers, each, exchange, request
from tests.raw_http import BOUNDARY, form, part
from tests.sizes import examples, some

MODEL = "gemini-3.8-flash"
PROMPT = form(part("prompt", b"Hello"))
PICTURE = form(part("file", (Path(__file__).parents[1] / "media" / "shapes.png").read_bytes(), "shapes.png"))
CONTENTS = b'{"contents":[{"parts":[{"text":"Hello"}]}]}'
CHAT = b'{"model":"%b","messages":[{"role":"user","content":"Hello"}]}' % MODEL.encode()
REST_CHAT = b'{"messages":[{"role":"user","content":"Hello"}]}'
FORM = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
JSON = "Content-Type: application/json"
RAW = "X-Goog-Upload-Protocol: raw"


@dataclass(frozen=True, slots=True)
class Target:
    """One call that succeeds with a scope; `done` is the emulator's name of its effect."""

    method: str
    path: str
    scope: Scope
    body: bytes = b""
    header: str = "Accept: */*"


def _native(path: str, body: bytes = CONTENTS, method: str = "POST") -> Target:
    return Target(method, path, Scope.NATIVE, body, JSON)


TARGETS = (
    Target("POST", "/api/v1/generate", Scope.GENERATE, PROMPT, FORM),
    Target("POST", "/api/v1/chat", Scope.GENERATE, REST_CHAT, JSON),
    Target("POST", "/api/v1/count-tokens", Scope.GENERATE, PROMPT, FORM),
    Target("POST", "/api/v1/files", Scope.FILES, PICTURE, FORM),
    Target("GET", "/api/v1/files", Scope.FILES),
    Target("GET", "/api/v1/files/file_nothing", Scope.FILES),
    Target("DELETE", "/api/v1/files/file_nothing", Scope.FILES),
    Target("PUT", "/api/v1/files/raw/a.txt", Scope.FILES, b"text", "Content-Type: text/plain"),
    *(
        Target("POST", f"/api/v1/{task}", Scope.TASKS, PICTURE, FORM)
        for task in ("images/captions", "images/detections", "images/segmentations", "documents/markdown")
    ),
    Target("POST", "/v1beta/openai/audio/transcriptions", Scope.TASKS, PICTURE, FORM),
    *(
        _native(f"/v1beta/models/{MODEL}:{verb}")
        for verb in ("generateContent", "streamGenerateContent", "countTokens")
    ),
    _native("/v1beta/openai/chat/completions", CHAT),
    _native("/v1beta/cachedContents"),
    _native("/v1beta/interactions", b'{"model":"%b","input":"Hello"}' % MODEL.encode()),
    _native("/v1beta/models", b"", "GET"),
    _native("/v1beta/files", b"", "GET"),
    _native("/v1beta/openai/models", b"", "GET"),
    Target("POST", "/upload/v1beta/files", Scope.NATIVE, b"text", RAW),
    Target("PUT", "/upload/v1beta/files?uploadType=media", Scope.NATIVE, b"text", "Content-Type: text/plain"),
)
SPELLINGS = (
    "{0}", "/{0}", "//{0}", "/.{0}", "/..{0}", "{0}/", "{0}//", "{0}/.", "{0}/..", "{0}/../{1}", "{0};a=b", "{0};",
    "{0}%00", "{0}%0d%0a", "{0}%20", "{0}%3f", "{0}%23", "{0}?", "{0}?upload_id=", "{0}?upload_id=A", "{0}?key=",
    "{0}#a", "{0}\\", "/docs/..{0}", "/docs/%2e%2e{0}", "/healthz/..{0}", "/healthz;{0}", "/problems/..{0}",
    "/docs/assets/..{0}", "http://127.0.0.1{0}", "http://127.0.0.1:1/docs/..{0}", "//127.0.0.1{0}", "/api/v1{0}",
    "/upload{0}", "/v1{0}", "/%2e{0}",
)  # fmt: skip
TURNS = ("lower", "upper", "escaped", "escaped-slashes", "double-slashes", "dots", "overlong", "backslashes")
METHODS = (
    ("HEAD",), ("OPTIONS",), ("TRACE",), ("PATCH",), ("get",), ("post",), ("PROPFIND",), ("GET",), ("POST",), ("PUT",),
    ("DELETE",), ("QUERY",),
    *(
        (method, f"{name}: {override}")
        for method in ("GET", "POST")
        for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
        for override in ("DELETE", "POST")
    ),
)  # fmt: skip


def turned(path: str, turn: str) -> str:
    """Return another spelling of a whole path."""
    turns: dict[str, Callable[[str], str]] = {
        "lower": str.lower,
        "upper": str.upper,
        "escaped": lambda rest: "".join(f"%{byte:02x}" for byte in rest.encode()).replace("%2f", "/"),
        "escaped-slashes": lambda rest: rest.replace("/", "%2F"),
        "double-slashes": lambda rest: "/" + rest.replace("/", "//"),
        "dots": lambda rest: "./" + rest.replace("/", "/./"),
        "overlong": lambda rest: rest.replace("/", "%c0%af"),
        "backslashes": lambda rest: rest.replace("/", "\\"),
    }
    return "/" + turns[turn](path.removeprefix("/"))


def spellings(target: Target) -> list[str]:
    segments = target.path.split("/")
    written = [spelling.format(target.path, segments[-1]) for spelling in SPELLINGS[1:]]
    return written + [turned(target.path, turn) for turn in TURNS]


@pytest.fixture(scope="module")
async def closed(_emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Closed]:
    async with closed_gateway(_emulator, tmp_path_factory.mktemp("scopes")) as closed:
        yield closed


@pytest.fixture(scope="module")
async def keys(closed: Closed) -> dict[Scope, str]:
    """Return a key for each scope that has this scope alone."""
    return {scope: await closed.key(scope, scopes={scope}) for scope in Scope}


async def ask(closed: Closed, target: Target, path: str, key: str, method: str | None, *headers: str) -> Answers:
    sent = (target.header, f"Authorization: Bearer {key}", *headers)
    return await exchange(
        closed.gateway.port, request(path, *sent, method=method or target.method, body=target.body), ends=False
    )


def effects(emulator: Emulator) -> list[str]:
    """Return the operations that only clients' calls have: the gateway itself lists models and files."""
    return [name for name in emulator.state["counters"] if name not in {"models.list", "files.list"}]


def is_harmless(answer: Answers, method: str) -> bool:
    """Return whether an answer is a refusal, or a page that everybody may read."""
    if answer.status in {0, 204} or answer.status >= 300:
        return True
    pages = (b"<!doctype html>", b'{"status":', b'{"openapi":')
    return method in {"OPTIONS", "HEAD"} or answer.body.lower().startswith(pages)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.method} {target.path}")
@pytest.mark.usefixtures("emulator")
async def test_a_call_succeeds_with_its_scope_alone(closed: Closed, keys: dict[Scope, str], target: Target) -> None:
    statuses = {scope: (await ask(closed, target, target.path, key, None)).status for scope, key in keys.items()}

    assert statuses.pop(target.scope) not in {401, 403}
    assert set(statuses.values()) == {403}


async def test_no_spelling_of_a_path_passes_over_a_scope(
    closed: Closed, keys: dict[Scope, str], emulator: Emulator
) -> None:
    cases = [
        (target, path, scope)
        for target in TARGETS
        for path, scope in itertools.product(spellings(target), Scope)
        if scope is not target.scope
    ]
    assert len(cases) > 4_000
    passed = []

    async def attack(case: tuple[Target, str, Scope]) -> None:
        target, path, scope = case
        answer = await ask(closed, target, path, keys[scope], None)
        if not is_harmless(answer, target.method):
            passed.append((target.method, path, scope, answer.status))

    await each(some(cases, 400), attack)

    assert passed == []
    assert effects(emulator) == []


async def test_no_method_passes_over_a_scope(closed: Closed, keys: dict[Scope, str], emulator: Emulator) -> None:
    cases = [
        (target, method, scope)
        for target, method, scope in itertools.product(TARGETS, METHODS, Scope)
        if scope is not target.scope
    ]
    assert len(cases) > 1_500
    passed = []

    async def attack(case: tuple[Target, tuple[str, ...], Scope]) -> None:
        target, (method, *headers), scope = case
        answer = await ask(closed, target, target.path, keys[scope], method, *headers)
        if not is_harmless(answer, method):
            passed.append((method, headers, target.path, scope, answer.status))

    await each(some(cases, 300), attack)

    assert passed == []
    assert effects(emulator) == []


@examples(60, nightly=1_500)
@given(
    target=st.sampled_from(TARGETS),
    scope=st.sampled_from(Scope),
    spelling=st.lists(st.sampled_from(SPELLINGS), min_size=1, max_size=3),
    turn=st.sampled_from(TURNS) | st.none(),
    more=st.text(st.sampled_from("/.%;?&=#\\ 02efAC"), max_size=6),
)
async def test_no_combination_of_spellings_passes_over_a_scope(
    closed: Closed,
    keys: dict[Scope, str],
    target: Target,
    scope: Scope,
    spelling: list[str],
    turn: str | None,
    more: str,
) -> None:
    path = target.path if turn is None else turned(target.path, turn)
    for each_spelling in spelling:
        path = each_spelling.format(path, "")
    answer = await ask(closed, target, (path + more).replace(" ", "+"), keys[scope], None)

    assert scope is target.scope or is_harmless(answer, target.method), (path, answer.data[:300])
