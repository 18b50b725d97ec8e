"""One relayed JSON document: scanned in turns with others, its references resolved, all other bytes unchanged.

    scan(piece) ... end() ──> Found strings ──> resolve ──> spliced into the bytes

Bodies and Live's frames are documents. This module knows no operation and no HTTP.
"""

from collections.abc import Sequence

from app.native.resolving import Resolver
from app.native.scanning import BodyFacts, Found, JsonScanner, Policy, ScanRules, UsageOption
from app.native.services import NativeCall
from app.native.turns import ScanTurn


def scan_rules(call: NativeCall, base_url: str = "") -> ScanRules:
    """Return the rules of a scan for a call that reached the gateway at `base_url`."""
    settings = call.services.settings
    return ScanRules(
        bases=(base_url,) if base_url else (),
        max_values=settings.max_native_json_values,
        allows_mcp_servers=settings.allow_mcp_servers,
    )


class ScannedDocument:
    """One document of a call. `path_model` is the model in the request's path; None if the path names no model."""

    def __init__(self, call: NativeCall, policy: Policy, base_url: str, *, path_model: str | None = None) -> None:
        self._scanner = JsonScanner(policy, scan_rules(call, base_url))
        self._turn = ScanTurn(call.services.scan_turns)
        self.resolver = Resolver(call, path_model=path_model)
        self._is_budgeted = call.services.metering.admission.has_budgets(call.client)
        # Whether Gemini is asked for a stream's usage, although the client did not ask.
        self.adds_usage_option = False

    @property
    def facts(self) -> BodyFacts:
        """The facts found in the document so far."""
        return self._scanner.facts

    @property
    def root_names(self) -> frozenset[str]:
        """Return the folded names of the outermost object, known at the document's end."""
        return self._scanner.root_names

    @property
    def model(self) -> str | None:
        """The model named in the document, by Gemini's name; None if the document names no model."""
        return self.resolver.model

    @property
    def position(self) -> int:
        """The number of bytes, from the beginning, that may be sent once the strings found in them are resolved."""
        return self._scanner.position

    async def scan(self, piece: bytes) -> list[Found]:
        """Scan a piece and return the strings found in it. Raises MalformedRequestError and ForbiddenError."""
        return await self._turn.scan(self._scanner.feed, piece)

    def end(self) -> list[Found]:
        """End the scan and return the last strings found. Raises MalformedRequestError for an incomplete document."""
        return self._scanner.end()

    async def rewritten(self, data: bytes, found: Sequence[Found]) -> bytes:
        """Return a held document with each found string replaced by its resolved form.

        If a limit in tokens or money holds for the client, an OpenAI stream is made to end with its usage.
        """
        options = [each for each in found if isinstance(each.what, UsageOption)]
        self.adds_usage_option = bool(options) and self.facts.stream is True and self._is_budgeted
        if options and not self.adds_usage_option:
            found = [each for each in found if each not in options]
        if not found:
            return data
        # References that were judged at the end of their object come late.
        ordered = sorted(found, key=lambda each: each.start)
        return spliced(data, ordered, await self.resolver.resolve(ordered))


def spliced(data: bytes, found: Sequence[Found], replaced: Sequence[bytes | None], *, at: int = 0) -> bytes:
    """Return `data` with the found strings replaced. `at` is the position of its first byte in the document."""
    if all(text is None for text in replaced):
        return data
    view, position, parts = memoryview(data), 0, list[bytes | memoryview]()
    for each, text in zip(found, replaced, strict=True):
        if text is not None:
            parts += [view[position : each.start - at], text]
            position = each.end - at
    return b"".join([*parts, view[position:]])
