"""Forms read into requests, in a gateway whose Gemini is never reached."""

import gc
import json
import weakref
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.caller import RestCaller
from app.api.prompt_form import PromptForm
from app.clients.identity import LOCAL
from app.errors import GatewayError, InvalidFieldError
from app.gemini.credentials import ApiKey
from app.gemini.request import base64_length
from app.main import create_api
from app.media.form_files import UploadPolicy
from app.media.multipart import FormReader
from app.request.query import NO_QUERY, RequestQuery
from app.request.usage import RequestUsage
from app.services import Services
from app.settings import Settings
from app.store.files import FileRegistry
from app.store.records import MediaFacts, Origin, UploadState

FILE_ID = "file_known"
SECRET = "the client's own words"


@dataclass(frozen=True, slots=True)
class Read:
    """A form that was read: the length known beforehand, and the request."""

    known_bytes: int
    size_bytes: int
    request: dict[str, object]


@pytest.fixture(scope="module")
async def caller(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RestCaller]:
    folder: Path = tmp_path_factory.mktemp("gateway")
    settings = Settings.model_validate(
        {
            "_env_file": None,
            "gemini_base_url": "http://127.0.0.1:9",
            "database_url": f"sqlite+aiosqlite:///{folder}/gateway.db",
        }
    )
    app = create_api(settings, ApiKey("k"))
    async with app.router.lifespan_context(app):
        caller = RestCaller(app.services, RequestUsage(LOCAL))
        await _store(app.services)
        yield caller


async def _store(services: Services) -> None:
    registry = FileRegistry(services.database)
    now = services.files.now()
    expires_at = now + 9_999
    await registry.begin(
        "u", owner=LOCAL.id, mime_type="video/mp4", size_bytes=9, now=now, expires_at=expires_at, lease_until=expires_at
    )
    await registry.complete(
        "u",
        state=UploadState.ACTIVE,
        size_bytes=9,
        sha256="0" * 64,
        uri="https://files/u",
        facts=MediaFacts(),
        expires_at=expires_at,
        error=None,
    )
    await registry.add_file(FILE_ID, owner=LOCAL.id, upload_name="u", origin=Origin.SENT, filename=None, now=now)


async def _body(fields: Sequence[tuple[str, str]]) -> AsyncIterator[bytes]:
    for name, value in fields:
        filename = '; filename="a.txt"\r\nContent-Type: text/plain' if name == "file" else ""
        yield f'--b\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n\r\n{value}\r\n'.encode()
    yield b"--b--\r\n"


async def read(caller: RestCaller, *fields: tuple[str, str], query: str = "") -> Read:
    async with caller.form_files(UploadPolicy.INLINE_ONLY) as files:
        draft = PromptForm(caller, files, RequestQuery.parse(query.encode()))
        await draft.read(FormReader(_body(fields), b"b", max_parts=100))
        held = [file.held_size() for file in files.all]
        request = draft.request()
        body = b"".join([piece async for piece in request.pieces()])
        return Read(
            files.size.fixed_bytes + sum(file.inline_overhead + base64_length(file.size_bytes) for file in held),
            request.size_bytes,
            json.loads(body),
        )


async def refusal(caller: RestCaller, *fields: tuple[str, str], query: str = "") -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await read(caller, *fields, query=query)
    return caught.value


words = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=20)
file_options = st.lists(st.sampled_from([("start", "1:30"), ("fps", "0.5"), ("media_resolution", "high")]), unique=True)
pieces = st.one_of(
    words.map(lambda text: [("prompt", text)]),
    st.tuples(file_options, words).map(lambda given: [*given[0], ("file", given[1])]),
    file_options.map(lambda options: [*options, ("file_id", FILE_ID)]),
    words.map(lambda text: [("system_instruction", "Be brief."), ("stop", text)]),
)
messages = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["user", "model", "assistant"]),
        st.lists(
            st.sampled_from([{"file_id": FILE_ID, "start": 5}, {"inline_data": "aGVsbG8=", "mime_type": "text/plain"}])
            | words.map(lambda text: {"text": text}),
            min_size=1,
            max_size=3,
        ),
    ),
    max_size=3,
)


@given(st.lists(pieces, max_size=6), messages, words)
async def test_the_length_that_decides_about_inlining_is_that_of_the_request(
    caller: RestCaller, groups: list[list[tuple[str, str]]], earlier: list[dict[str, object]], last: str
) -> None:
    fields = [field for group in groups for field in group]

    form = await read(caller, *fields, ("messages", json.dumps(earlier)), ("prompt", last))

    assert form.known_bytes == form.size_bytes


@given(st.lists(words | st.integers(0, 2) | st.just(FILE_ID), max_size=5), st.booleans())
async def test_the_length_is_right_too_where_contents_give_the_order(
    caller: RestCaller, order: list[str | int], is_first: bool
) -> None:
    numbers = list(dict.fromkeys(item for item in order if isinstance(item, int)))
    items: list[dict[str, object]] = [{"text": "Look:"}]
    for item in dict.fromkeys(order):
        if isinstance(item, int):
            items.append({"file": numbers.index(item), "start": item})
        else:
            items.append({"file_id": item} if item == FILE_ID else {"text": item})
    fields = [("contents", json.dumps(items)), *(("file", "words") for _ in numbers)]

    form = await read(caller, *(fields if is_first else reversed(fields)))

    assert form.known_bytes == form.size_bytes


async def test_the_order_of_the_parts_is_the_order_of_the_prompt(caller: RestCaller) -> None:
    form = await read(caller, ("prompt", "A"), ("file", "hello"), ("prompt", "B"), ("file_id", FILE_ID), ("seed", "7"))

    assert form.request == {
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "A"},
                    {"inlineData": {"mimeType": "text/plain", "data": "aGVsbG8="}},
                    {"text": "B"},
                    {"fileData": {"mimeType": "video/mp4", "fileUri": "https://files/u"}},
                ],
            }
        ],
        "generationConfig": {"seed": 7},
    }


async def test_contents_give_the_order_of_unordered_parts(caller: RestCaller) -> None:
    contents = json.dumps([{"text": "A"}, {"file": 1, "end": 2}, {"text": "B"}, {"file": 0}, {"file_id": FILE_ID}])

    before = await read(caller, ("contents", contents), ("file", "0"), ("file", "1"))
    after = await read(caller, ("file", "0"), ("file", "1"), ("contents", contents))

    assert (
        before.request
        == after.request
        == {
            "contents": [
                {
                    "role": "user",
                    "parts": [
                        {"text": "A"},
                        {
                            "inlineData": {"mimeType": "text/plain", "data": "MQ=="},
                            "videoMetadata": {"endOffset": "2s"},
                        },
                        {"text": "B"},
                        {"inlineData": {"mimeType": "text/plain", "data": "MA=="}},
                        {"fileData": {"mimeType": "video/mp4", "fileUri": "https://files/u"}},
                    ],
                }
            ]
        }
    )


async def test_messages_come_before_the_prompt_and_assistant_is_the_model(caller: RestCaller) -> None:
    earlier = json.dumps(
        [{"role": "user", "content": [{"text": "1"}]}, {"role": "assistant", "content": [{"text": "2"}]}]
    )

    form = await read(caller, ("messages", earlier), ("prompt", "3"))
    alone = await read(caller, ("messages", earlier))

    turns = [{"role": "user", "parts": [{"text": "1"}]}, {"role": "model", "parts": [{"text": "2"}]}]
    assert form.request == {"contents": [*turns, {"role": "user", "parts": [{"text": "3"}]}]}
    assert alone.request == {"contents": turns}
    assert alone.known_bytes >= alone.size_bytes


async def test_options_in_the_query_are_options_of_the_request(caller: RestCaller) -> None:
    form = await read(caller, ("prompt", "A"), query="seed=7&media_resolution=low&stop=x")

    config = {"seed": 7, "stopSequences": ["x"], "mediaResolution": "MEDIA_RESOLUTION_LOW"}
    assert form.request["generationConfig"] == config
    assert form.known_bytes == form.size_bytes


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [("prompt", ""), ("file_id", ""), ("temperature", "")],
        [("contents", "[]")],
        [("messages", "[]")],
        [("seed", "7")],
    ],
)
async def test_an_empty_form_is_refused(caller: RestCaller, fields: list[tuple[str, str]]) -> None:
    error = await refusal(caller, *fields)

    assert isinstance(error, InvalidFieldError)
    assert error.errors[0].field == "prompt"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ([("prompt", SECRET), ("contents", '[{"text": "a"}]')], "contents"),
        ([("contents", '[{"text": "a"}]'), ("prompt", SECRET)], "prompt"),
        ([("contents", '[{"text": "a"}]'), ("file_id", FILE_ID)], "file_id"),
        ([("contents", '[{"file": 0}]')], "contents[0].file"),
        ([("contents", '[{"file": 0}, {"file": 0}]'), ("file", "x")], "contents[1].file"),
        ([("contents", '[{"file": 1}]'), ("file", "x"), ("file", "y")], "contents"),
        ([("contents", '[{"text": "a", "file": 0}]'), ("file", "x")], "contents[0]"),
        ([("contents", "[{}]")], "contents[0]"),
        ([("contents", '[{"file": 0, "start": 1}]'), ("start", "2"), ("file", "x")], "start"),
        ([("messages", '[{"role": "user", "content": []}]')], "messages[0].content"),
        ([("messages", '[{"role": "user", "content": [{}]}]')], "messages[0].content[0]"),
        ([("messages", '[{"role": "user", "content": [{"inline_data": "?"}]}]')], "messages[0].content[0].inline_data"),
        ([("stop", str(number)) for number in range(17)], "stop"),
        ([("prompt", "a"), ("promt", SECRET)], "promt"),
    ],
)
async def test_conflicting_fields_are_refused_by_name(
    caller: RestCaller, fields: list[tuple[str, str]], field: str
) -> None:
    error = await refusal(caller, *fields)

    assert isinstance(error, InvalidFieldError)
    assert error.errors[0].field == field
    assert SECRET not in f"{error.detail} {error.errors}"


async def test_a_file_without_a_name_and_without_bytes_is_no_file(caller: RestCaller) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n\r\n--b--\r\n'

    async def body() -> AsyncIterator[bytes]:
        yield form

    async with caller.form_files(UploadPolicy.INLINE_ONLY) as files:
        draft = PromptForm(caller, files, NO_QUERY)
        with pytest.raises(InvalidFieldError, match="is empty"):
            await draft.read(FormReader(body(), b"b", max_parts=9))

    assert files.all == []


async def test_no_bytes_are_held_after_the_end_of_a_form(caller: RestCaller) -> None:
    await read(caller, ("file", "words"), ("prompt", "a"))
    await refusal(caller, ("file", "words"), ("promt", "a"))

    assert caller.services.held_bytes.held_bytes == 0


async def test_the_media_of_a_form_are_freed_without_the_garbage_collector(
    caller: RestCaller,
) -> None:
    gc.disable()
    try:
        async with caller.form_files(UploadPolicy.INLINE_ONLY) as files:
            draft = PromptForm(caller, files, NO_QUERY)
            reader = FormReader(_body([("prompt", "What is it?"), ("file", "words")]), b"b", max_parts=9)
            await draft.read(reader)
        left = [weakref.ref(thing) for thing in (draft, reader, files)]
        del draft, reader, files

        assert [thing() for thing in left] == [None] * 3
    finally:
        gc.enable()
