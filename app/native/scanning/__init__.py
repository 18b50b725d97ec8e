"""What a relayed body names: a strict JSON scanner that passes bytes through, and what a string in it refers to.

    pieces of JSON ──> JsonScanner ──> bytes that may go on at once, and Found strings that must be resolved first

Pure: it knows no client, no HTTP and no store.
"""

from app.native.scanning.lines import JsonLinesScanner
from app.native.scanning.policy import BATCH_LINE, GENERATE, INTERACTIONS, LIVE, OPENAI, Policy
from app.native.scanning.references import Kind, Reference, Unusable, Url, UrlKind, classify
from app.native.scanning.scanner import Facts, Found, Handle, JsonScanner, ModelName, Segment

__all__ = [
    "BATCH_LINE",
    "GENERATE",
    "INTERACTIONS",
    "LIVE",
    "OPENAI",
    "Facts",
    "Found",
    "Handle",
    "JsonLinesScanner",
    "JsonScanner",
    "Kind",
    "ModelName",
    "Policy",
    "Reference",
    "Segment",
    "Unusable",
    "Url",
    "UrlKind",
    "classify",
]
