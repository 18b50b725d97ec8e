"""Faults on request: the kind of fault, the affected calls, and how often.

    POST /emulator/faults ──> FaultPlan ──take(operation)──> Faults of one call
    X-Emulator-Fault ────────────────────────────────────────^

A call gets at most one fault that ends or spoils it, and beside it at most one of each that only alters it. This module
chooses the faults; the code that they affect carries them out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

import orjson

from gemini_emulator.failures import ApiFailureError, invalid, ordinary, retry_info
from gemini_emulator.proto.kinds import Enumeration, Kind, Repeated, Scalar, message, snake_case
from gemini_emulator.proto.parser import parse
from gemini_emulator.routing import OPERATIONS

_GENERATION = frozenset({"generateContent", "streamGenerateContent", "interactions.create", "openai.chat"})
_STREAM = frozenset({"streamGenerateContent", "interactions.create", "interactions.get", "openai.chat", "live"})
_CHUNK = frozenset({"files.upload", "files.finalize"})
_SESSION = _CHUNK | {"files.query", "files.cancel"}
_CREATION = frozenset({"files.start", "files.finalize", "files.create"})
_MAX_PLANNED = 1_000


class FaultKind(StrEnum):
    """The kinds of fault."""

    STATUS = "status"
    SLOW = "slow"
    DRIP = "drip"
    CUT = "cut"
    LOST_ACK = "lost_ack"
    UNAVAILABLE_ACK = "unavailable_ack"
    PARTIAL = "partial"
    DEAD_SESSION = "dead_session"
    FINISH = "finish"
    BLOCK = "block"
    ANSWER = "answer"
    STREAM_ERROR = "stream_error"
    PROCESSING = "processing"
    CLOSE = "close"
    SPLIT = "split"


@dataclass(frozen=True, slots=True)
class _Use:
    """Where a kind applies, and which fields it needs."""

    operations: frozenset[str] = OPERATIONS
    needs: tuple[str, ...] = ()


_USES: Mapping[FaultKind, _Use] = {
    FaultKind.STATUS: _Use(needs=("code",)),
    FaultKind.SLOW: _Use(needs=("delayS",)),
    FaultKind.DRIP: _Use(_STREAM, ("delayS",)),
    FaultKind.CUT: _Use(),
    FaultKind.LOST_ACK: _Use(),
    FaultKind.UNAVAILABLE_ACK: _Use(_SESSION),
    FaultKind.PARTIAL: _Use(_CHUNK, ("bytes",)),
    FaultKind.DEAD_SESSION: _Use(_SESSION),
    FaultKind.FINISH: _Use(_GENERATION, ("reason",)),
    FaultKind.BLOCK: _Use(_GENERATION, ("reason",)),
    FaultKind.ANSWER: _Use(_GENERATION, ("text",)),
    FaultKind.STREAM_ERROR: _Use(_STREAM, ("code",)),
    FaultKind.PROCESSING: _Use(_CREATION, ("delayS",)),
    FaultKind.CLOSE: _Use(frozenset({"live"}), ("code", "reason")),
    FaultKind.SPLIT: _Use(OPERATIONS - {"live"}),
}
_ALTERING = frozenset(
    {
        FaultKind.SLOW,
        FaultKind.DRIP,
        FaultKind.FINISH,
        FaultKind.ANSWER,
        FaultKind.PROCESSING,
        FaultKind.SPLIT,
    }
)

_FIELDS: Mapping[str, Kind] = {
    "kind": Enumeration("Fault.Kind", tuple(kind.upper() for kind in FaultKind)),
    "operation": Scalar.STRING,
    "count": Scalar.INT32,
    "skip": Scalar.INT32,
    "code": Scalar.INT32,
    "status": Scalar.STRING,
    "message": Scalar.STRING,
    "details": Repeated(Scalar.STRUCT),
    "retryDelayS": Scalar.FLOAT,
    "delayS": Scalar.FLOAT,
    "afterChunks": Scalar.INT32,
    "afterBytes": Scalar.INT64,
    "bytes": Scalar.INT64,
    "reason": Scalar.STRING,
    "chars": Scalar.INT32,
    "text": Scalar.STRING,
    "then": Enumeration("Fault.Then", ("ACTIVE", "FAILED")),
}
_FAULT: Final = message("Fault", _FIELDS)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, with the values that it was given.

    Times are in seconds; `size_bytes` is how much of a chunk is taken in, `chars` how much of a text is left.
    """

    kind: FaultKind
    code: int = 503
    status: str = ""
    message: str = ""
    details: tuple[Mapping[str, object], ...] = ()
    retry_delay_s: float | None = None
    delay_s: float = 0.0
    after_chunks: int | None = None
    after_bytes: int | None = None
    size_bytes: int = 0
    reason: str = ""
    chars: int | None = None
    text: str = ""
    then: str = "ACTIVE"

    def failure(self) -> ApiFailureError:
        """Make the error that a `status` or `stream_error` fault answers with."""
        failure = ordinary(self.code, self.message, self.status)
        hint = () if self.retry_delay_s is None else (retry_info(self.retry_delay_s),)
        failure.details = (*self.details, *hint)
        return failure


class Faults:
    """The faults of one call, at most one of each kind."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = {fault.kind: fault for fault in faults}

    def get(self, kind: FaultKind) -> Fault | None:
        """Return the call's fault of a kind; None if the call has no such fault."""
        return self._faults.get(kind)


NO_FAULTS: Final = Faults([])


@dataclass(slots=True)
class _Planned:
    """A fault that waits: for calls to skip, then for calls to spoil."""

    fault: Fault
    operation: str
    count: int
    skip: int

    def concerns(self, operation: str) -> bool:
        return self.operation in {"*", operation} and operation in _USES[self.fault.kind].operations


class FaultPlan:
    """The faults that are still to happen, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._planned: list[_Planned] = []

    def add(self, document: object) -> None:
        """Plan the faults of a `POST /emulator/faults`. Raises ApiFailureError for an invalid request."""
        values = parse(_FAULT, document)
        operation = _value(values, "operation", "")
        if operation not in OPERATIONS | {"*"}:
            raise invalid(f"operation must be * or one of {', '.join(sorted(OPERATIONS))}.")
        fault = _fault_of(values)
        allowed = _USES[fault.kind].operations
        if operation != "*" and operation not in allowed:
            raise invalid(f"{fault.kind} happens only in {', '.join(sorted(allowed))}.")
        if len(self._planned) >= _MAX_PLANNED:
            raise invalid("too many faults are planned already.")
        self._planned.append(_Planned(fault, operation, _value(values, "count", 1), _value(values, "skip", 0)))

    def clear(self) -> None:
        """Plan nothing any more."""
        self._planned.clear()

    def take(self, operation: str, header: str) -> Faults:
        """Return the faults of a call, planned or in its `X-Emulator-Fault` header; count the planned faults down."""
        if not self._planned and not header:
            return NO_FAULTS
        taken = [_fault_of(parse(_FAULT, _read_json(header)))] if header else []
        for planned in self._planned:
            if planned.count < 1 or not planned.concerns(operation):
                continue
            if planned.skip > 0:
                planned.skip -= 1
            elif _goes_with(planned.fault, taken):
                planned.count -= 1
                taken.append(planned.fault)
        self._planned = [planned for planned in self._planned if planned.count > 0]
        return Faults(taken)


def _goes_with(fault: Fault, taken: list[Fault]) -> bool:
    if fault.kind in _ALTERING:
        return all(other.kind is not fault.kind for other in taken)
    return all(other.kind in _ALTERING for other in taken)


def _read_json(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise invalid(f"X-Emulator-Fault is not JSON: {error}.") from error


def _value(values: Mapping[str, object], name: str, default: _T) -> _T:
    value = values.get(name, default)
    return value if isinstance(value, type(default)) else default


def _optional(values: Mapping[str, object], name: str, kind: type[_T]) -> _T | None:
    value = values.get(name)
    return value if isinstance(value, kind) else None


def _details_of(values: Mapping[str, object]) -> list[Mapping[str, object]]:
    details = values.get("details")
    return [item for item in details if isinstance(item, dict)] if isinstance(details, list) else []


def _fault_of(values: Mapping[str, object]) -> Fault:
    name = _value(values, "kind", "")
    if not name:
        raise invalid(f"kind must be one of {', '.join(FaultKind)}.")
    kind = FaultKind(name.lower())
    missing = [name for name in _USES[kind].needs if name not in values]
    if missing:
        raise invalid(f"{kind} needs {', '.join(map(snake_case, missing))}.")
    code = _value(values, "code", 503)
    lowest, highest = (1000, 4999) if kind is FaultKind.CLOSE else (400, 599)
    if not lowest <= code <= highest:
        raise invalid(f"code must be {lowest} to {highest}.")
    return Fault(
        kind=kind,
        code=code,
        status=_value(values, "status", ""),
        message=_value(values, "message", ""),
        details=tuple(_details_of(values)),
        retry_delay_s=_optional(values, "retryDelayS", float),
        delay_s=_value(values, "delayS", 0.0),
        after_chunks=_optional(values, "afterChunks", int),
        after_bytes=_optional(values, "afterBytes", int),
        size_bytes=_value(values, "bytes", 0),
        reason=_value(values, "reason", ""),
        chars=_optional(values, "chars", int),
        text=_value(values, "text", ""),
        then=_value(values, "then", "ACTIVE"),
    )
