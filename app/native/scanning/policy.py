"""Which strings of a body are free text, and what else is to be seen of it, by the names in its objects.

Names are folded as Google's JSON folds them: `fileUri`, `file_uri` and any other spelling of the same letters are one.
A name that is not here is scanned: deny by default.
"""

from dataclasses import dataclass, field
from enum import IntEnum


class Role(IntEnum):
    """What the value of a name is."""

    SCANNED = 0
    """Whatever it is, it is scanned."""
    TEXT = 1
    """A string is free text; anything else is scanned."""
    DATA = 2
    """A string is media in base64; anything else is scanned."""
    TREE = 3
    """Everything below it is the client's own: it names nothing, whatever it says."""
    MODEL = 4
    """A string is a model's name."""
    HANDLE = 5
    """A string stands for something that is stored, and is opaque."""
    MIME_TYPE = 6
    NUMBER = 7
    """A number that the gateway wants to know of."""
    FLAG = 8
    """True or false, of which the same holds."""
    WORD = 9
    """A short string of which the same holds; it is scanned like any other."""
    CLOSED = 10
    """What no client may use: it would reach past the gateway."""
    TEXTS = 11
    """A string, or a list of strings, is free text."""

    # The number's own: an Enum's is worked out in Python, and sets are asked for every token.
    __hash__ = int.__hash__


def fold(name: str) -> str:
    """Fold a name: without underscores, in lower case."""
    return name.replace("_", "").lower()


_EVERYWHERE = {
    "text": Role.TEXT,
    "data": Role.DATA,
    "input": Role.TEXT,
    "content": Role.TEXT,
    "systeminstruction": Role.TEXT,
    "description": Role.TEXT,
    "title": Role.TEXT,
    "displayname": Role.TEXT,
    "labels": Role.TREE,
    "schema": Role.TREE,
    "responseschema": Role.TREE,
    "responsejsonschema": Role.TREE,
    "parameters": Role.TREE,
    "parametersjsonschema": Role.TREE,
    "args": Role.TREE,
    "arguments": Role.TREE,
    "response": Role.TREE,
    "mimetype": Role.MIME_TYPE,
    "type": Role.WORD,
    "maxoutputtokens": Role.NUMBER,
    "candidatecount": Role.NUMBER,
    "servicetier": Role.WORD,
    "mcpservers": Role.CLOSED,
    "mcpserver": Role.CLOSED,
    "webhookconfig": Role.CLOSED,
    "webhooks": Role.CLOSED,
    "credentials": Role.CLOSED,
    "model": Role.MODEL,
}


@dataclass(frozen=True, slots=True)
class Policy:
    """How a surface's bodies are read. `closed_types` are values of `type` that no client may use.

    `known` remembers names as they were written: mostly they are the same few.
    """

    name: str
    roles: dict[str, Role]
    closed_types: frozenset[str] = frozenset({"mcp_server"})
    known: dict[bytes, tuple[str, Role]] = field(default_factory=dict, compare=False, repr=False)


GENERATE = Policy("generate", _EVERYWHERE)
"""generateContent, countTokens, embeddings, caches, batches."""
BATCH_LINE = Policy("batch-line", _EVERYWHERE)
"""A line of a batch's file: `{"key", "request"}`."""
INTERACTIONS = Policy(
    "interactions",
    {
        **_EVERYWHERE,
        "previousinteractionid": Role.HANDLE,
        "continuationtoken": Role.TEXT,
        "agent": Role.MODEL,
        "environment": Role.CLOSED,
        "stream": Role.FLAG,
        "store": Role.FLAG,
        "background": Role.FLAG,
    },
)
OPENAI = Policy(
    "openai",
    {
        **_EVERYWHERE,
        "input": Role.TEXTS,
        "maxtokens": Role.NUMBER,
        "maxcompletiontokens": Role.NUMBER,
        "n": Role.NUMBER,
        "stream": Role.FLAG,
    },
)
LIVE = Policy("live", {**_EVERYWHERE, "handle": Role.HANDLE})
POLICIES = {policy.name: policy for policy in (GENERATE, BATCH_LINE, INTERACTIONS, OPENAI, LIVE)}
