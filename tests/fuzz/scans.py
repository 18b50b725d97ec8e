"""The JSON scanner: one result for every cut, and no reference passes that a second reading of the JSON sees.

The second reading is `json.loads` with a walk of its own, over the same tables.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import astuple

from app.errors import GatewayError
from app.native.scanning import Found, JsonScanner
from app.native.scanning.frames import FREE, INHERITED
from app.native.scanning.policy import POLICIES, Policy, ScanRules
from app.native.scanning.references import LONGEST, ObjectKind, Reference, canonical
from app.native.scanning.roles import OTHER, Field, Place, Role
from app.native.scanning.tables.everywhere import ANYWHERE
from tests.fuzz.cutting import cuttings

BASES = ("http://127.0.0.1:8000",)
RULES = ScanRules(bases=BASES, max_values=2_000)
WORDS = (
    b'"fileUri"', b'"file_uri"', b'"fileData"', b'"inlineData"', b'"data"', b'"text"', b'"parts"', b'"contents"',
    b'"model"', b'"cachedContent"', b'"fileName"', b'"input"', b'"result"', b'"type"', b'"uri"', b'"mimeType"',
    b'"files/a"', b'"cachedContents/a"', b'"batches/a"', b'"models/a"', b'"image"', b'"tools"', b'"function_result"',
    b'"https://generativelanguage.googleapis.com/v1beta/files/a"', b'"http://127.0.0.1:8000/v1beta/files/a"',
    b'"\\u0066iles/a"', b'"data:image/png;base64,AA"', b'"parameters"', b'"setup"', b'"batch"', b'"requests"', b"null",
    b"true", b"-1e9", b"\\u", b"\\ud83d\\ude00", b"\xef\xbb\xbf", b"{", b"}", b"[", b"]", b":", b",", b'"',
)  # fmt: skip
_MEDIA_TYPES = frozenset({"image", "audio", "video", "document", "file"})
_BARE = frozenset({ObjectKind.INTERACTION, ObjectKind.LIVE_SESSION})


class Members(list[tuple[str, object]]):
    """The members of an object, in order."""


def run(data: bytes) -> None:
    """Scan a document by the policy that its first byte names."""
    policy = list(POLICIES.values())[data[0] % len(POLICIES)] if data else next(iter(POLICIES.values()))
    body, ways = cuttings(data[1:])
    whole = _scan([body], policy)
    for pieces in ways:
        assert _scan(pieces, policy) == whole, pieces
    if whole is not None:
        _check(body, policy, whole[0])


def _scan(pieces: Sequence[bytes], policy: Policy) -> tuple[list[Found], object] | None:
    scanner = JsonScanner(policy, RULES)
    found: list[Found] = []
    fed = 0
    try:
        for piece in pieces:
            found += scanner.feed(piece)
            fed += len(piece)
            assert fed - scanner.position <= LONGEST + len(piece)
        found += scanner.end()
    except GatewayError:
        return None
    assert scanner.position == fed
    return sorted(found, key=lambda each: each.start), (astuple(scanner.facts), scanner.root_names, scanner.values)


def _check(body: bytes, policy: Policy, found: list[Found]) -> None:
    document = json.loads(body.decode(), object_pairs_hook=Members)
    for each in found:
        if each.end > each.start:
            assert json.loads(body[each.start : each.end]) == each.text
    texts = {each.text for each in found}
    for text in _named(document, OTHER, policy.root):
        assert text in texts, text


def _named(value: object, field: Field, place: Place) -> Iterator[str]:
    """Yield the strings that name something, for which no role says that they are the client's own data."""
    if field.role is Role.TREE:
        return
    if isinstance(value, str):
        if field.role not in FREE and _is_reference(value, field):
            yield value
    elif isinstance(value, Members):
        fields = {name: (place.look_up(name) or (None, OTHER))[1] for name, _ in value}
        kinds = {str(item).lower() for name, item in value if fields[name].role is Role.TYPE}
        for name, item in value:
            below = fields[name]
            if below.role is Role.MEDIA_REFERENCE and isinstance(item, str) and not kinds & _MEDIA_TYPES:
                continue
            yield from _named(item, below, below.below or ANYWHERE)
    elif isinstance(value, list):
        below = field if field.role in INHERITED else OTHER
        for item in value:
            yield from _named(item, below, below.below or ANYWHERE)


def _is_reference(text: str, field: Field) -> bool:
    if isinstance(canonical(text, BASES), Reference):
        return True
    if field.role is Role.MODEL or field.kind in _BARE:
        return 0 < len(text) <= LONGEST // 8
    is_reference = field.role in {Role.REFERENCE, Role.MEDIA_REFERENCE}
    is_data = field.takes_urls and text.startswith("data:")
    return is_reference and not is_data and 0 < len(text) <= LONGEST // 8
