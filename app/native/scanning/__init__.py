"""The scanner of relayed JSON: passes bytes through, and finds the strings that name objects, models and URLs.

    tables ──> Place, Field ──┐
    pieces of JSON ──> JsonScanner ──> Found strings to resolve, and the position up to which bytes may go on
                          └─> Judge ──> BodyFacts: text, media, and values that bear on cost

Three kinds of field: a reference must name the client's own object in its one canonical form; free text always passes;
every other string passes unless the whole string is a canonical name. It knows no client, no HTTP and no store.
"""

from app.native.scanning.facts import BodyFacts
from app.native.scanning.found import Found, Handle, ModelName, UsageOption
from app.native.scanning.lines import JsonLinesScanner, NamedByLines
from app.native.scanning.policy import Policy, ScanRules
from app.native.scanning.references import MISSING, Missing, ObjectKind, Reference, Url, UrlKind, canonical
from app.native.scanning.roles import Field, Role
from app.native.scanning.scanner import JsonScanner

__all__ = [
    "MISSING",
    "BodyFacts",
    "Field",
    "Found",
    "Handle",
    "JsonLinesScanner",
    "JsonScanner",
    "Missing",
    "ModelName",
    "NamedByLines",
    "ObjectKind",
    "Policy",
    "Reference",
    "Role",
    "ScanRules",
    "Url",
    "UrlKind",
    "UsageOption",
    "canonical",
]
