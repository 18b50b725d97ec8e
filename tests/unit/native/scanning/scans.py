"""Scans for the tests of the scanner."""

from app.native.scanning import BodyFacts, Found, JsonScanner, Policy
from app.native.scanning.policy import GENERATE, ScanRules

OWN = ("http://127.0.0.1:8000", "https://gate.example/prefix")
GOOGLE = "https://generativelanguage.googleapis.com"
RULES = ScanRules(bases=OWN)


def scanned(body: bytes, policy: Policy = GENERATE, rules: ScanRules = RULES) -> list[Found]:
    """Scan a whole document; return the found strings, in the order of the document."""
    scanner = JsonScanner(policy, rules)
    return sorted([*scanner.feed(body), *scanner.end()], key=lambda found: found.start)


def facts_of(body: bytes, policy: Policy) -> BodyFacts:
    """Scan a whole document; returns its facts."""
    scanner = JsonScanner(policy, RULES)
    scanner.feed(body)
    scanner.end()
    return scanner.facts
