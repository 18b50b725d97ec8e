"""Fetches an identity provider's public documents over a given session, without knowing their content."""

import asyncio

import aiohttp

from app.clients.jwks import Fetch, FetchFailedError

TIMEOUT_S = 5.0
MAX_DOCUMENT_BYTES = 512 * 1024


def fetcher(session: aiohttp.ClientSession) -> Fetch:
    """Return the `Fetch` of `SigningKeys`: at most 5 s and 512 KiB, and no redirect followed."""

    async def fetch(url: str) -> bytes:
        try:
            async with asyncio.timeout(TIMEOUT_S), session.get(url, allow_redirects=False) as answer:
                if answer.status != 200:
                    raise FetchFailedError(f"the answer has status {answer.status}")
                document = bytearray()
                async for piece in answer.content.iter_any():
                    document += piece
                    if len(document) > MAX_DOCUMENT_BYTES:
                        raise FetchFailedError("the answer is too large")
                return bytes(document)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # A timeout is an OSError too.
            raise FetchFailedError(type(error).__name__) from error

    return fetch
