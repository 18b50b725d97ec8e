import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gemini.remote_files import URI_PREFIX
from app.gemini.request import (
    ENVELOPE_BYTES,
    HARM_CATEGORIES,
    NAME_CHARS,
    FilePart,
    GenerateRequest,
    InlinePart,
    MediaOptions,
    Options,
    Part,
    TextPart,
    Turn,
    base64_length,
    inline_overhead,
    part_length,
    reference_length,
    turns_length,
)

URI = URI_PREFIX + "a" * NAME_CHARS
WRAPPER = (b'{"generateContentRequest":{"model":"models/m",', b"}")

times = st.none() | st.floats(0, 864_000).map(lambda value: round(value, 3))
media_options = st.builds(
    MediaOptions,
    times,
    times,
    st.none() | st.floats(0.01, 24).map(lambda value: round(value, 3)),
    st.sampled_from([None, "low", "ultra_high"]),
)
mime_types = st.sampled_from(["image/png", "audio/l16; rate=16000", 'x/"quoted"'])
slices = st.lists(st.binary(max_size=20).map(lambda raw: raw * 3), max_size=3)
text_parts = st.builds(TextPart, st.text(max_size=30))
inline_parts = st.builds(
    lambda kind, whole, last, given: InlinePart(kind, [*whole, last], given),
    mime_types,
    slices,
    st.binary(max_size=5),
    media_options,
)
file_parts = st.builds(FilePart, st.none() | mime_types, st.just(URI) | st.text(max_size=20), media_options)
part_lists = st.lists(text_parts | inline_parts | file_parts, max_size=5)
turn_lists = st.lists(st.builds(Turn, st.sampled_from(["user", "model"]), part_lists), max_size=4)
options = st.builds(
    Options,
    system_instruction=st.none() | st.text(max_size=10),
    temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0, 1),
    top_k=st.none() | st.integers(1, 99),
    stop=st.lists(st.text(min_size=1, max_size=4), max_size=3),
    response_schema=st.none() | st.just({"type": "object"}),
    thinking_level=st.none() | st.just("low"),
    include_thoughts=st.none() | st.booleans(),
    media_resolution=st.none() | st.just("high"),
    safety=st.sampled_from([None, "default", "off"]),
)


async def written(request: GenerateRequest) -> bytes:
    return b"".join([piece async for piece in request.pieces()])


async def sent(turns: Sequence[Turn], options: Options | None = None) -> bytes:
    return await written(GenerateRequest(turns, (options or Options()).json()))


def expected_part(part: Part) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"text": part.text}
    out: dict[str, Any]
    if isinstance(part, InlinePart):
        data = base64.b64encode(b"".join(part.slices)).decode()
        out = {"inlineData": {"mimeType": part.mime_type, "data": data}}
    else:
        mime_type = {} if part.mime_type is None else {"mimeType": part.mime_type}
        out = {"fileData": {**mime_type, "fileUri": part.uri}}
    beside: dict[str, Any] = json.loads("{" + part.options.json().decode().removeprefix(",") + "}")
    return out | beside


@given(turn_lists, options, st.sampled_from([(b"", b""), WRAPPER]))
async def test_every_request_is_the_json_of_its_turns_and_as_long_as_it_says(
    turns: list[Turn], options: Options, wrapper: tuple[bytes, bytes]
) -> None:
    request = GenerateRequest(turns, options.json(), wrapper)

    body = await written(request)

    parsed = json.loads(body)
    inner = parsed["generateContentRequest"] if wrapper[0] else parsed
    assert request.size_bytes == len(body)
    assert inner["contents"] == [
        {"role": turn.role, "parts": [expected_part(part) for part in turn.parts]} for turn in turns
    ]
    beside = {name: value for name, value in inner.items() if name not in {"contents", "model"}}
    assert beside == json.loads("{" + options.json().decode().removeprefix(",") + "}")


@given(turn_lists, part_lists.filter(len), options)
async def test_the_length_known_beforehand_is_the_length_of_the_request(
    earlier: list[Turn], parts: list[Part], options: Options
) -> None:
    known = ENVELOPE_BYTES + len(options.json()) + turns_length(earlier)
    known += sum(map(part_length, parts)) + len(parts) - 1

    assert GenerateRequest([*earlier, Turn("user", parts)], options.json()).size_bytes == known


@given(st.binary(max_size=50), media_options)
def test_an_inline_part_is_its_overhead_and_its_base64(data: bytes, options: MediaOptions) -> None:
    length = inline_overhead("image/png", options) + base64_length(len(data))

    assert part_length(InlinePart("image/png", [data], options)) == length
    assert base64_length(len(data)) == len(base64.b64encode(data))


@given(mime_types, media_options)
def test_the_length_of_a_reference_is_known_before_its_name(mime_type: str, options: MediaOptions) -> None:
    assert reference_length(mime_type, options) == len(FilePart(mime_type, URI, options).json())


async def test_a_prompt_is_these_bytes() -> None:
    request = GenerateRequest([Turn("user", [TextPart('Say "é\n"')])], Options().json())

    assert request.whole() == b'{"contents":[{"role":"user","parts":[{"text":"Say \\"\xc3\xa9\\n\\""}]}]}'
    assert await written(request) == request.whole()


async def test_media_between_prompts_are_these_bytes() -> None:
    parts: list[Part] = [
        TextPart("Before"),
        InlinePart("image/png", [b"abcdef", b"g"]),
        FilePart("video/mp4", "https://x/files/f", MediaOptions(10, 75.5, 0.5, "ultra_high")),
        FilePart(None, "https://youtu.be/x"),
    ]

    assert await sent([Turn("user", parts)]) == (
        b'{"contents":[{"role":"user","parts":['
        b'{"text":"Before"},'
        b'{"inlineData":{"mimeType":"image/png","data":"YWJjZGVmZw=="}},'
        b'{"fileData":{"mimeType":"video/mp4","fileUri":"https://x/files/f"},'
        b'"videoMetadata":{"startOffset":"10s","endOffset":"75.5s","fps":0.5},'
        b'"mediaResolution":{"level":"MEDIA_RESOLUTION_ULTRA_HIGH"}},'
        b'{"fileData":{"fileUri":"https://youtu.be/x"}}'
        b"]}]}"
    )


async def test_earlier_turns_and_every_option_are_these_bytes() -> None:
    turns = [
        Turn("user", [TextPart("1")]),
        Turn("model", [TextPart("2"), TextPart("3")]),
        Turn("user", [TextPart("4")]),
    ]
    every = Options(
        system_instruction="Be brief.",
        temperature=0.0,
        top_p=0.5,
        top_k=3,
        max_output_tokens=10,
        stop=("END", "a,b"),
        seed=0,
        response_schema={"type": "object"},
        thinking_level="minimal",
        include_thoughts=False,
        media_resolution="low",
        safety="default",
    )

    assert await sent(turns, every) == (
        b'{"contents":[{"role":"user","parts":[{"text":"1"}]},'
        b'{"role":"model","parts":[{"text":"2"},{"text":"3"}]},'
        b'{"role":"user","parts":[{"text":"4"}]}],'
        b'"systemInstruction":{"parts":[{"text":"Be brief."}]},'
        b'"generationConfig":{"temperature":0.0,"topP":0.5,"topK":3,"maxOutputTokens":10,"stopSequences":["END","a,b"],'
        b'"seed":0,"responseMimeType":"application/json","responseJsonSchema":{"type":"object"},'
        b'"mediaResolution":"MEDIA_RESOLUTION_LOW",'
        b'"thinkingConfig":{"thinkingLevel":"MINIMAL","includeThoughts":false}}}'
    )


async def test_a_wrapped_request_is_these_bytes() -> None:
    request = GenerateRequest([Turn("user", [TextPart("1")])], Options(seed=1).json(), WRAPPER)

    assert await written(request) == (
        b'{"generateContentRequest":{"model":"models/m","contents":[{"role":"user","parts":[{"text":"1"}]}],'
        b'"generationConfig":{"seed":1}}}'
    )


def test_filters_are_switched_off_only_when_that_is_asked() -> None:
    off = json.loads(b"{" + Options(safety="off").json()[1:] + b"}")

    assert off == {"safetySettings": [{"category": name, "threshold": "OFF"} for name in HARM_CATEGORIES]}
    assert Options(safety="default").json() == b""


def test_unset_options_are_not_sent() -> None:
    assert Options().json() == b""
    assert MediaOptions().json() == b""


@pytest.mark.parametrize(
    ("seconds", "offset"),
    [
        (0, "0s"),
        (0.00001, "0.00001s"),
        (12345.678, "12345.678s"),
        (863_999.999, "863999.999s"),
        (1e-12, "0s"),
        (90, "90s"),
    ],
)
def test_a_time_is_a_decimal_number_of_seconds_to_the_last_digit(seconds: float, offset: str) -> None:
    given = json.loads(b"{" + MediaOptions(start=seconds, end=seconds).json()[1:] + b"}")

    assert given == {"videoMetadata": {"startOffset": offset, "endOffset": offset}}


async def test_a_small_request_is_there_in_one_piece_and_a_large_one_is_not() -> None:
    small = GenerateRequest([Turn("user", [InlinePart("image/png", [b"abc"])])], Options().json())
    large = GenerateRequest([Turn("user", [InlinePart("image/png", [b"abc" * 20_000])])], Options().json())

    assert small.whole() == b"".join([piece async for piece in small.pieces()])
    assert large.whole() is None


async def test_media_are_encoded_slice_by_slice() -> None:
    data = [b"a" * 196_608, b"b" * 196_608, b"c" * 5]
    request = GenerateRequest([Turn("user", [InlinePart("image/png", data)])], Options().json())

    lengths = [len(piece) async for piece in request.pieces()]

    assert lengths[1:-1] == [262_144, 262_144, 8]


async def test_a_request_can_be_written_again() -> None:
    request = GenerateRequest([Turn("user", [InlinePart("image/png", [b"abcd"])])], Options().json())

    assert await written(request) == await written(request)
