"""The official Python SDK, unchanged but for its base URL, against an emulator of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from google import genai
from google.genai import types

from app.emulator.config import EmulatorConfig
from tests.emulator_server import run_emulator

MEDIA = Path(__file__).parents[1] / "media"
MODEL = "gemini-3.8-flash"


def parts(*items: types.PartUnionDict) -> list[types.PartUnionDict]:
    """Make a prompt of several parts, in this order."""
    return list(items)


@contextmanager
def sdk_client(base_url: str, version: str = "v1beta", key: str = "a-key") -> Iterator[genai.Client]:
    """Make a client of an emulator."""
    options = types.HttpOptions(base_url=base_url, api_version=version)
    client = genai.Client(api_key=key, http_options=options)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def emulated_client(config: EmulatorConfig) -> Iterator[genai.Client]:
    """Run an emulator and make a client of it."""
    with run_emulator(config) as base_url, sdk_client(base_url) as client:
        yield client
