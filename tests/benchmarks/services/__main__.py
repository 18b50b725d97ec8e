"""Run one of the services: `python -m tests.benchmarks.services NAME --port N`, Gemini's address in the environment."""

import argparse
import os
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from tests.benchmarks.services import bare_relay, fastapi_relay, plain

SERVICES: dict[str, Callable[[str, str], ASGIApp]] = {
    "plain": plain.create,
    "fastapi-relay": fastapi_relay.create,
    "bare-relay": bare_relay.create,
}


def main() -> None:
    """Serve until terminated, with the same server and loop as the gateway, and no access log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=SERVICES)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    app = SERVICES[arguments.name](os.environ["GEMINI_BASE_URL"], os.environ["GEMINI_API_KEY"])
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=arguments.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        backlog=2_048,
    )


if __name__ == "__main__":
    main()
