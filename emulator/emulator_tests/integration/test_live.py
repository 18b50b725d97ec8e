"""Live: close reasons that fit into a close frame, and the tokens of what is said, by modality."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from emulator_tests.integration.calls import KEY, MODEL, Emulator, Json, user

PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"


@contextmanager
def session(emulator: Emulator, setup: Json) -> Iterator[ClientConnection]:
    url = emulator.base_url.replace("http", "ws", 1) + PATH
    with connect(url, additional_headers={"x-goog-api-key": KEY}, proxy=None) as socket:
        socket.send(json.dumps({"setup": setup}))
        yield socket


def usage_of_a_turn(socket: ClientConnection) -> Any:
    socket.send(json.dumps({"clientContent": {"turns": [user("Hi")], "turnComplete": True}}))
    while "usageMetadata" not in (message := json.loads(socket.recv(timeout=20))):
        pass
    return message["usageMetadata"]


@pytest.mark.parametrize("reason", ["x" * 200, "ж" * 100])
def test_a_close_reason_is_cut_to_whole_characters_within_123_bytes(emulator: Emulator, reason: str) -> None:
    emulator.plan({"operation": "live", "kind": "close", "code": 1008, "reason": reason})

    with session(emulator, {"model": f"models/{MODEL}"}) as socket, pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=20)

    received = closed.value.rcvd
    assert received is not None
    assert received.code == 1008
    assert reason.startswith(received.reason)
    assert 122 <= len(received.reason.encode()) <= 123


@pytest.mark.parametrize("modality", ["TEXT", "AUDIO"])
def test_a_turn_counts_its_answer_by_modality(emulator: Emulator, modality: str) -> None:
    setup: Json = {"model": f"models/{MODEL}", "generationConfig": {"responseModalities": [modality]}}

    with session(emulator, setup) as socket:
        usage = usage_of_a_turn(socket)

    assert usage["responseTokensDetails"] == [{"modality": modality, "tokenCount": usage["responseTokenCount"]}]
