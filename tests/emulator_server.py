"""The emulator over a real socket, in a thread of its own."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import uvicorn

from app.emulator.app import create_emulator
from app.emulator.config import EmulatorConfig
from app.emulator.server import emulator_server_config

_START_TIMEOUT_S = 30


class _AnnouncedServer(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()


@contextmanager
def run_emulator(config: EmulatorConfig | None = None) -> Iterator[str]:
    """Serve an emulator on a free port of the loopback; gives its base URL."""
    app = create_emulator(config or EmulatorConfig())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _AnnouncedServer(emulator_server_config(app, host="127.0.0.1", port=0))
        thread = Thread(target=server.run, args=([listener],), name="emulator")
        thread.start()
        try:
            if not server.listens.wait(_START_TIMEOUT_S):
                raise TimeoutError("the emulator did not start")
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
