"""The gateway's answers, as far as this client needs them: the answer, the events of a stream, the problem.

Further fields are ignored, so that an older client works with a newer gateway.
"""

from http import HTTPStatus

from pydantic import BaseModel, JsonValue, ValidationError

from app.ask.failures import AskError, GatewayFailedError, RefusedError

# Shown characters of an error that is not a problem document, such as a proxy's page.
MAX_SHOWN_CHARS = 300


class FieldProblem(BaseModel):
    """An error in one field of the request."""

    field: str
    message: str


class WireProblem(BaseModel):
    """A problem document (RFC 9457)."""

    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldProblem] = []
    retry_after_s: float | None = None


class WireWarning(BaseModel):
    """A defect that did not stop the call."""

    detail: str


class WireFile(BaseModel):
    """One file of the call; `id` is null unless it was kept."""

    id: str | None
    filename: str | None
    expires_at: str | None


class WireAnswer(BaseModel):
    """The whole answer. `finish_reason` is Gemini's in lower case, or `blocked`."""

    text: str
    finish_reason: str
    block_reason: str | None = None
    finish_message: str | None = None
    warnings: list[WireWarning] = []
    files: list[WireFile] = []


class Event(BaseModel):
    """One event of a stream; `response` stays unparsed, for `--json`."""

    type: str
    stage: str | None = None
    bytes: int | None = None
    text: str = ""
    thought: bool = False
    response: dict[str, JsonValue] | None = None
    problem: WireProblem | None = None


def read_event(data: bytes) -> Event:
    """Return the event in the data; raises GatewayFailedError if there is none."""
    try:
        return Event.model_validate_json(data)
    except ValidationError:
        raise GatewayFailedError("The stream has an event that is not a gateway's; is --url right?") from None


def read_answer(response: dict[str, JsonValue]) -> WireAnswer:
    """Return the whole answer; raises GatewayFailedError if it is not an answer of a gateway."""
    try:
        return WireAnswer.model_validate(response)
    except ValidationError:
        raise GatewayFailedError("The answer is not a gateway's; is --url right?") from None


def failure_of(problem: WireProblem) -> AskError:
    """Return the error for a problem document."""
    detail = problem.detail
    for item in problem.errors:
        if item.message.rstrip(".") not in detail:
            detail += f" {item.field}: {item.message.rstrip('.')}."
    if problem.retry_after_s is not None:
        detail += f" Try again in {problem.retry_after_s:.0f} s."
    error = RefusedError if _is_refusal(problem.status) else GatewayFailedError
    return error(f"{problem.title}: {detail} ({problem.code}, {problem.request_id})")


def failure_of_answer(status: int, body: bytes) -> AskError:
    """Return the error for an HTTP answer other than 200; `body` may be anything."""
    try:
        return failure_of(WireProblem.model_validate_json(body))
    except ValidationError:
        phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "an unknown status"
        said = body.decode(errors="replace").strip()[:MAX_SHOWN_CHARS] or "nothing more was said"
        error = RefusedError if _is_refusal(status) else GatewayFailedError
        return error(f"{status} {phrase}, not in a gateway's format (is --url right?): {said}")


def _is_refusal(status: int) -> bool:
    return 400 <= status < 500
