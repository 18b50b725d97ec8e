"""Settings of timeouts, in seconds."""

from pydantic import Field

from app.settings.environment import Environment


class TimeoutSettings(Environment):
    """Timeouts: how long each step may take, in seconds."""

    request_timeout_s: float = Field(
        600,
        gt=0,
        description="Seconds from the end of a request's body to its whole answer or to a stream's first byte, and "
        "between the bytes of a stream. A client may set less (`timeout_s`, `X-Server-Timeout`).",
    )
    stream_timeout_s: float = Field(3_600, gt=0, description="Seconds that a stream may last.")
    connection_wait_s: float = Field(
        10, gt=0, description="Seconds for which a call waits for a free connection to Gemini, then 503 `busy`."
    )
    connect_timeout_s: float = Field(10, gt=0, description="Seconds to connect to Gemini.")
    chunk_timeout_s: float = Field(120, gt=0, description="Seconds until Gemini must acknowledge an upload chunk.")
    file_ready_timeout_s: float = Field(
        300, gt=0, description="Seconds for which a call waits until its files are ready."
    )
    header_timeout_s: float = Field(10, gt=0, description="Seconds for the headers of a request to arrive.")
    idle_timeout_s: float = Field(60, gt=0, description="Seconds without data after which a body is refused with 408.")
    min_body_rate: int = Field(
        1_024,
        ge=0,
        description="Smallest average rate of a body after its first 10 s, in bytes per second; 0 sets no minimum.",
    )
    live_idle_timeout_s: float = Field(
        900, gt=0, description="A Live session in which neither side sends a message for so long is closed."
    )
    shutdown_grace_s: int = Field(30, ge=0, description="Seconds for which running calls may continue after SIGTERM.")
