"""The messages of a Live session: the parts of Gemini's messages that the gateway reads as they pass.

    Gemini ──message──> usage, end of a turn, handle ──> client

Most messages hold only generated text or sound, and are not parsed.
"""

from typing import NamedTuple

import orjson

from app.gemini.answer import Usage
from app.native.reading import read_live
from app.native.used import mapping, text

_KEYWORDS = (b"usageMetadata", b"sessionResumptionUpdate", b"turnComplete", b"toolCall")


class ServerNews(NamedTuple):
    """News in a message of Gemini's: usage, the end of a turn, a new handle by which the session can be resumed.

    A turn also ends if the model waits for the results of functions.
    """

    usage: Usage | None = None
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
    return ServerNews(read_live(dict(message)).usage, is_turn_end, handle)
