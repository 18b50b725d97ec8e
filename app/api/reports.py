"""Conversion of inner values to the models of answers: files, usage, warnings."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from app.api.schemas import CallWarning, FileFacts, FileReport, MediaFile, TokensByModality, TokenUsage
from app.gemini.answer import MODALITIES, Usage
from app.gemini.models import Models
from app.media.incoming_file import Delivery, IncomingFile
from app.store.records import StoredFile


def when(seconds: float) -> datetime:
    """Return seconds since the epoch as a UTC date and time."""
    return datetime.fromtimestamp(seconds, UTC)


def modalities(counts: Mapping[str, int]) -> TokensByModality:
    """Return tokens by modality; modalities of Gemini beyond the five count as text."""
    known = {name: counts.get(name, 0) for name in MODALITIES}
    known["text"] += sum(count for name, count in counts.items() if name not in MODALITIES)
    return TokensByModality(**known)


def token_usage(usage: Usage, cost: float | None) -> TokenUsage:
    """Return the usage of a call with its estimated cost in US dollars."""
    return TokenUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        thinking_tokens=usage.thinking_tokens,
        cached_tokens=usage.cached_tokens,
        total_tokens=usage.total_tokens,
        input_by_modality=modalities(usage.input_by_modality),
        estimated_cost_usd=cost,
    )


def summed_usage(usages: Sequence[Usage], models: Models, model: str) -> TokenUsage:
    """Return the total usage of several calls; each is priced by itself, because prices depend on the call's length."""
    costs = [models.cost(model, usage) for usage in usages]
    total = sum(usages, Usage())
    # A sum with an unknown price would look like a total, so there is no cost at all.
    return token_usage(total, None if None in costs else sum(cost or 0.0 for cost in costs))


def incoming_report(index: int, file: IncomingFile) -> FileReport:
    """Return the report of a file that arrived with the call."""
    return FileReport(
        index=index,
        id=file.stored.id if file.stored else None,
        filename=file.filename,
        mime_type=file.type.mime_type,
        declared_mime_type=file.type.declared_mime_type,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        delivery=file.delivery,
        expires_at=None if file.stored is None else when(file.stored.upload.expires_at),
    )


def stored_report(index: int, file: StoredFile) -> FileReport:
    """Return the report of a file named by its id."""
    return FileReport(
        index=index,
        id=file.id,
        filename=file.filename,
        mime_type=file.upload.mime_type,
        declared_mime_type=None,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        delivery=Delivery.REFERENCED,
        expires_at=when(file.upload.expires_at),
    )


def mismatch_warning(where: str, declared: str | None, found: str) -> CallWarning:
    """Return the warning that a file's bytes overruled its declared type."""
    detail = f"The file was declared as {declared}, but its bytes are {found}; the bytes decide."
    return CallWarning(code="mime-type-mismatch", field=where, detail=detail)


def transcoded_warning(where: str, charset: str) -> CallWarning:
    """Return the warning that Gemini gets a text in UTF-8 in place of its own charset."""
    detail = (
        f"The text was transcoded from {charset.upper()} to UTF-8; sha256 and size_bytes are those of the bytes sent."
    )
    return CallWarning(code="transcoded-text", field=where, detail=detail)


def media_file(file: StoredFile) -> MediaFile:
    """Return a stored file as the answer shows it."""
    upload = file.upload
    facts = upload.facts
    return MediaFile(
        id=file.id,
        filename=file.filename,
        mime_type=upload.mime_type,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        # Clients need not know that an upload has a state before Gemini's own states.
        state=upload.state.value if upload.state.value != "uploading" else "processing",
        error=upload.error,
        media=FileFacts(width=facts.width, height=facts.height, duration=facts.duration, pages=facts.pages),
        created_at=when(file.created_at),
        expires_at=when(upload.expires_at),
    )
