"""The official SDKs, unchanged but for their base URL: straight to the emulator, or through the gateway."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from google import genai
from google.genai import types

from gemini_emulator import EmulatorConfig, SplitMode, run_emulator
from tests.emulator_process import Emulator
from tests.gateway_process import gateway_process

MEDIA = Path(__file__).parents[1] / "media"
MODEL = "gemini-3.8-flash"


def parts(*items: types.PartUnionDict) -> list[types.PartUnionDict]:
    """Make a prompt of several parts, in this order."""
    return list(items)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the emulator: its base URL and key, and the emulator at its end."""

    base_url: str
    key: str
    emulator: Emulator


WAYS = ("straight", "through")


@contextmanager
def way_to(name: str, config: EmulatorConfig | None = None) -> Iterator[Way]:
    """Open a way to an emulator of its own: `straight`, or `through` a gateway with a client's key."""
    split = SplitMode(os.environ["EMULATOR_SPLIT_ANSWERS"])
    with run_emulator(replace(config or EmulatorConfig(), split_answers=split)) as url:
        if name == "straight":
            yield Way(url, "a-key", Emulator(url))
            return
        with gateway_process(url) as gateway:
            yield Way(gateway.url, gateway.key, Emulator(url))


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
def client_of(name: str, config: EmulatorConfig) -> Iterator[genai.Client]:
    """Open a way to an emulator and make a client of it."""
    with way_to(name, config) as way, sdk_client(way.base_url, key=way.key) as client:
        yield client
