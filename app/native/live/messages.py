"""The messages of a Live session: the parts of Gemini's messages that the gateway reads as they pass.

    Gemini ──message──> usage, text, end of a turn, handle ──> client

Most messages hold only generated sound, and are not parsed.
"""

from typing import NamedTuple

import orjson

from app.gemini.answer import Usage
from app.native.json_values import mapping, text
from app.native.reading import read_live

_KEYWORDS = (b"usageMetadata", b"sessionResumptionUpdate", b"turnComplete", b"toolCall", b'"text"')


class ServerNews(NamedTuple):
    """News in a message of Gemini's: usage, the length of new text, the end of a turn, a new handle for resumption.

    A turn also ends if the model waits for the results of functions.
    """

    usage: Usage | None = None
    text_chars: int = 0
    is_turn_end: bool = False
    handle: str | None = None


NO_NEWS = ServerNews()


def read_server_message(data: bytes) -> ServerNews:
    """Return the news in a message of Gemini's."""
    if not any(keyword in data for keyword in _KEYWORDS):
        return NO_NEWS
    try:
        message = mapping(orjson.loads(data))
    except orjson.JSONDecodeError:
        return NO_NEWS
    is_turn_end = mapping(message.get("serverContent")).get("turnComplete") is True or "toolCall" in message
    handle = text(mapping(message.get("sessionResumptionUpdate")).get("newHandle"))
    found = read_live(dict(message))
    return ServerNews(found.usage, found.text_chars, is_turn_end, handle)
