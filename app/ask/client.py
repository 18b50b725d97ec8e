"""The request to a running gateway, and its answer, whole or as a stream of events.

Every failure becomes an AskError. This module knows nothing of the terminal.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from pydantic import JsonValue, TypeAdapter, ValidationError

from app.ask.events import event_data
from app.ask.failures import AskError, GatewayFailedError, UnreachableError, WrongUsageError
from app.ask.form import Form
from app.ask.wire import Event, failure_of_answer, read_event

PATH = "/api/v1/generate"
CONNECT_S = 10.0
# Seconds for which a gateway may be silent. While it works, it sends an event every 15 s; before that, it uploads the
# last bytes.
SILENCE_S = 300.0
# The same for an answer in one piece without a deadline.
WHOLE_ANSWER_S = 3_600.0
MAX_ANSWER_BYTES = 32 * 1024 * 1024
MAX_PROBLEM_BYTES = 256 * 1024
_JSON_OBJECT = TypeAdapter(dict[str, JsonValue])


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway's URL, the key, and the seconds for its whole answer (None: no deadline)."""

    url: str
    timeout_s: float | None = None
    key: str | None = field(default=None, repr=False)

    def events(self, form: Form, on_sent: Callable[[int], None]) -> Generator[Event, None, None]:
        """Send the form and yield the events as they arrive, `done` last. Raises AskError for any other end."""
        with self._answer_to(form, on_sent, "text/event-stream", SILENCE_S) as response:
            for data in event_data(response.iter_raw()):
                event = read_event(data)
                yield event
                if event.type in {"done", "error"}:
                    return
            raise GatewayFailedError("The answer was cut: its stream ended without the event done.")

    def answer(self, form: Form, on_sent: Callable[[int], None]) -> dict[str, JsonValue]:
        """Send the form and return the whole answer. Raises AskError."""
        silence_s = WHOLE_ANSWER_S if self.timeout_s is None else self.timeout_s + SILENCE_S
        with self._answer_to(form, on_sent, "application/json", silence_s) as response:
            body = _read(response, MAX_ANSWER_BYTES)
        try:
            return _JSON_OBJECT.validate_json(body)
        except ValidationError:
            raise GatewayFailedError("The answer is not a gateway's; is --url right?") from None

    @contextmanager
    def _answer_to(
        self, form: Form, on_sent: Callable[[int], None], accept: str, silence_s: float
    ) -> Iterator[httpx.Response]:
        headers = {
            "Accept": accept,
            # Proxies would hold back a compressed stream.
            "Accept-Encoding": "identity",
            "Content-Type": form.content_type,
            "Content-Length": str(form.length),
            **({} if self.key is None else {"Authorization": f"Bearer {self.key}"}),
        }
        timeout = httpx.Timeout(silence_s, connect=CONNECT_S)
        # The environment's proxies are ignored, because the gateway is usually on this machine.
        with (
            self._failures(silence_s),
            httpx.Client(timeout=timeout, trust_env=False) as client,
            client.stream("POST", self._target, content=form.pieces(on_sent), headers=headers) as response,
        ):
            self._check(response, accept)
            yield response

    @property
    def _target(self) -> str:
        return self.url.rstrip("/") + PATH

    @contextmanager
    def _failures(self, silence_s: float) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise UnreachableError(
                f"No gateway answers at {self.url} ({error}). Start one with: gemini-gateway dev"
            ) from None
        except httpx.TimeoutException:
            raise GatewayFailedError(f"The gateway at {self.url} was silent for {silence_s:.0f} s.") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise WrongUsageError(f"--url {self.url} is not the address of a gateway: {error}") from None
        except httpx.HTTPError as error:
            raise GatewayFailedError(f"The connection to {self.url} was cut: {error}") from None

    def _check(self, response: httpx.Response, accept: str) -> None:
        if response.is_redirect:
            place = response.headers.get("location", "nowhere")
            raise GatewayFailedError(f"{self.url} redirects to {place}; set --url to the gateway's own address.")
        if response.status_code != httpx.codes.OK:
            raise _refusal(response)
        if not response.headers.get("content-type", "").startswith(accept):
            raise GatewayFailedError(f"{self.url} does not answer like a gateway; is --url right?")


def _refusal(response: httpx.Response) -> AskError:
    try:
        body = _read(response, MAX_PROBLEM_BYTES)
    except httpx.HTTPError:
        # The status has arrived, but the connection broke before the body.
        body = b""
    return failure_of_answer(response.status_code, body)


def _read(response: httpx.Response, limit_bytes: int) -> bytes:
    body = bytearray()
    for piece in response.iter_raw():
        body += piece
        if len(body) > limit_bytes:
            raise GatewayFailedError(f"The answer is above {limit_bytes} bytes; is --url right?")
    return bytes(body)
