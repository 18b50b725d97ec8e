"""Usage reports as records for JSON, and as CSV for a spreadsheet. This module knows no HTTP and no SQL."""

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, fields

from app.store.ledger_records import MODALITIES, UsageBy, UsageSum, UsageSums

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MODALITIES = "input_by_modality"


def record_of(found: UsageSum, by: UsageBy) -> dict[str, object]:
    """Return a sum as a record: its key under the name of the grouping, a client's name beside its id."""
    record = asdict(found)
    key = record.pop("key")
    # A user's id stands behind the client's; the client itself is no user of its own.
    own = {str(by): key.partition("/")[2] or None if by is UsageBy.USER else key}
    name = record.pop("name")
    return own | ({"client_name": name} if by is UsageBy.CLIENT else {}) | record


def as_csv(report: UsageSums, by: UsageBy) -> str:
    """Return a report as CSV with a header (RFC 4180), tokens by modality in columns `input_text`, `input_image`..."""
    lines = io.StringIO()
    writer = csv.writer(lines)
    names = [str(by), *(["client_name"] if by is UsageBy.CLIENT else [])]
    for field in fields(UsageSum)[2:]:
        names += [f"input_{modality}" for modality in MODALITIES] if field.name == _MODALITIES else [field.name]
    writer.writerow(names)
    for found in report.sums:
        record = _flat(record_of(found, by))
        writer.writerow([_cell(record[name]) for name in names])
    return lines.getvalue()


def _flat(record: dict[str, object]) -> dict[str, object]:
    counts = record.pop(_MODALITIES)
    by_modality = counts if isinstance(counts, Mapping) else {}
    return record | {f"input_{modality}": count for modality, count in by_modality.items()}


def _cell(value: object) -> object:
    # A model's name is what a client sent: no spreadsheet may take it for a formula.
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
