r"""The two framings of a streamed answer: server-sent events, and one JSON array (reference, section 3).

data: {response on one line}\r\n\r\n                    [{response},\r\n{response}]
"""

import asyncio
from collections.abc import Iterable

import orjson

from gemini_emulator.exchange import JSON_TYPE, Exchange
from gemini_emulator.faults import Fault, FaultKind
from gemini_emulator.proto.numbers import with_numbered_enums

_SSE_HEADERS = ((b"content-disposition", b"attachment"),)


async def stream(exchange: Exchange, responses: Iterable[dict[str, object]], *, pause_s: float) -> None:
    """Send responses one by one, with a pause in seconds before each but the first.

    A `stream_error` fault takes the place of the response that it names; before the first it is an ordinary error.
    """
    broken = exchange.faults.get(FaultKind.STREAM_ERROR)
    if broken is not None and not broken.after_chunks:
        raise broken.failure()
    drip = exchange.faults.get(FaultKind.DRIP)
    pause_s = drip.delay_s if drip else pause_s
    is_sse = exchange.alt == "sse"
    if is_sse:
        await exchange.begin(content_type=b"text/event-stream", headers=_SSE_HEADERS)
    else:
        await exchange.begin(content_type=JSON_TYPE)
    for index, response in enumerate(_with_error(responses, broken)):
        if index and pause_s:
            await asyncio.sleep(pause_s)
        text = orjson.dumps(with_numbered_enums(response) if exchange.numbers_enums else response)
        await exchange.write(b"data: %b\r\n\r\n" % text if is_sse else b"%b%b" % (b",\r\n" if index else b"[", text))
    if not is_sse:
        # Google's own stream reader (google-api-core) raises on any byte after the array.
        await exchange.write(b"]")
    await exchange.end()


def _with_error(responses: Iterable[dict[str, object]], broken: Fault | None) -> Iterable[dict[str, object]]:
    for index, response in enumerate(responses):
        if broken is not None and index == broken.after_chunks:
            break
        yield response
    if broken is not None:
        yield broken.failure().body()
