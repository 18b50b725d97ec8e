"""Policies: how the bodies of each operation are read."""

from dataclasses import dataclass

from app.native.scanning.roles import Place
from app.native.scanning.tables import interactions, native, openai


@dataclass(frozen=True, slots=True)
class Policy:
    """How bodies of one kind are read: `root` is the place of the document.

    `has_typed_tools` says that a tool of type `mcp_server` connects to an MCP server, `has_usage_option` that a stream
    has usage only if the body asks for usage.
    """

    name: str
    root: Place
    has_typed_tools: bool = False
    has_usage_option: bool = False


@dataclass(frozen=True, slots=True)
class ScanRules:
    """The gateway's side of a scan: `bases` are its own addresses, below which clients may name their files."""

    bases: tuple[str, ...] = ()
    max_values: int = 1_000_000
    allows_mcp_servers: bool = False


DEFAULT_RULES = ScanRules()
GENERATE = Policy("generate", native.GENERATE)
COUNT_TOKENS = Policy("count-tokens", native.COUNT_TOKENS)
EMBED = Policy("embed", native.EMBED)
BATCH_EMBED = Policy("batch-embed", native.BATCH_EMBED)
CACHE = Policy("cache", native.CACHE)
BATCH = Policy("batch", native.BATCH)
BATCH_LINE = Policy("batch-line", native.BATCH_LINE)
LIVE = Policy("live", native.LIVE)
INTERACTIONS = Policy("interactions", interactions.INTERACTION, has_typed_tools=True)
OPENAI_CHAT = Policy("openai-chat", openai.CHAT, has_usage_option=True)
OPENAI_EMBEDDINGS = Policy("openai-embeddings", openai.EMBEDDINGS)
POLICIES = {
    policy.name: policy
    for policy in (
        GENERATE,
        COUNT_TOKENS,
        EMBED,
        BATCH_EMBED,
        CACHE,
        BATCH,
        BATCH_LINE,
        LIVE,
        INTERACTIONS,
        OPENAI_CHAT,
        OPENAI_EMBEDDINGS,
    )
}
