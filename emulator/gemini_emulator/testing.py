"""The emulator on a real socket, in a thread of the test's own process."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import uvicorn

from gemini_emulator.app import create_emulator
from gemini_emulator.config import EmulatorConfig
from gemini_emulator.server import emulator_server_config

_START_TIMEOUT_S = 30


class _AnnouncedServer(uvicorn.Server):
    """A server with an event that is set once the server listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()


@contextmanager
def run_emulator(config: EmulatorConfig | None = None) -> Iterator[str]:
    """Serve an emulator on a free loopback port until the block ends; yield its base URL.

    Raises TimeoutError if the server has not started within 30 s.
    """
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
