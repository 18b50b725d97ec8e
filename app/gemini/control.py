"""The control calls (models, file states, deletes): google-genai, its requests sent by `Upstream`.

    google-genai ──httpx request──> UpstreamTransport ──> Upstream (key, origins, connections, deadline) ──> Gemini

The SDK opens no connection and holds no key. Its answers are bounded, also after decompression.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
from google import genai
from google.genai import errors as sdk_errors
from google.genai.types import HttpOptions, HttpRetryOptions
from yarl import URL

from app.errors import UpstreamFailedError, UpstreamUnavailableError
from app.gemini.encoding import decoded
from app.gemini.refusals import sdk_error
from app.gemini.upstream import API_VERSION, Upstream
from app.gemini.whole_answer import read_whole

TIMEOUT_S = 30.0
# A page of 1,000 models has about 600 kB.
MAX_ANSWER_BYTES = 8 << 20
_PASSED_ON = frozenset({"accept", "content-type", "user-agent", "x-goog-api-client", "x-server-timeout"})


class UpstreamTransport(httpx.AsyncBaseTransport):
    """Sends httpx requests by an upstream."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its whole answer.

        Raises httpx.ConnectError, which the SDK repeats, if Gemini cannot be reached; otherwise the
        errors of `Upstream.request`.
        """
        body = await request.aread()
        headers = {name: value for name, value in request.headers.items() if name in _PASSED_ON}
        url = URL(str(request.url), encoded=True)
        timeout_s = min(TIMEOUT_S, self._upstream.patience().answer_s)
        try:
            async with self._upstream.request(
                request.method, url, headers=headers, body=body or None, timeout_s=timeout_s, is_control=True
            ) as answer:
                content = decoded(
                    await read_whole(answer, MAX_ANSWER_BYTES),
                    answer.headers.get("Content-Encoding", ""),
                    MAX_ANSWER_BYTES,
                )
                masking = self._upstream.masking
                content = await (masking.error(content) if answer.status >= 400 else masking.document(content))
                content_type = answer.headers.get("Content-Type", "")
                return httpx.Response(answer.status, headers={"content-type": content_type}, content=content)
        except UpstreamUnavailableError as error:
            raise httpx.ConnectError(error.detail, request=request) from error


@asynccontextmanager
async def open_control(upstream: Upstream) -> AsyncIterator[genai.Client]:
    """Open the SDK's client over an upstream, and close it at the end."""
    async with httpx.AsyncClient(transport=UpstreamTransport(upstream), trust_env=False) as client:
        options = HttpOptions(
            base_url=str(upstream.base),
            api_version=API_VERSION,
            httpx_async_client=client,
            timeout=int(TIMEOUT_S * 1_000),
            retry_options=HttpRetryOptions(attempts=3, initial_delay=0.2, max_delay=2),
        )
        # The session sets the key. `vertexai` is given, since the SDK would otherwise read it from the environment.
        yield genai.Client(api_key="set-by-the-session", vertexai=False, http_options=options)


@contextmanager
def control_errors() -> Iterator[None]:
    """Run a block of control calls, and raise the SDK's errors as the gateway's own."""
    try:
        yield
    except sdk_errors.APIError as error:
        raise sdk_error(error) from None
    except httpx.ConnectError as error:
        if isinstance(error.__cause__, UpstreamUnavailableError):
            raise error.__cause__ from None
        raise UpstreamUnavailableError("Gemini could not be reached; retry in a moment.", retry_after_s=2) from error
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        # The SDK raises any of these for JSON of another shape than it expects; pydantic's errors are ValueErrors.
        raise UpstreamFailedError("Gemini's answer cannot be read.") from error
