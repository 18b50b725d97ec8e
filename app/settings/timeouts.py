"""Settings of timeouts, in seconds."""

from pydantic import Field

from app.settings.environment import Environment


class TimeoutSettings(Environment):
    """Timeouts: how long each step may take, in seconds."""

    request_timeout_s: float = Field(600, gt=0, description="A request's time from the end of its body to its answer.")
    connect_timeout_s: float = Field(10, gt=0, description="Time to connect to Gemini.")
    chunk_timeout_s: float = Field(120, gt=0, description="Time for one upload chunk to be acknowledged.")
    file_ready_timeout_s: float = Field(300, gt=0, description="Time that a call waits for its files to be ready.")
    header_timeout_s: float = Field(10, gt=0, description="Time for a request's headers to arrive.")
    idle_timeout_s: float = Field(60, gt=0, description="A body that sends nothing for so long is refused with 408.")
    min_body_rate: int = Field(
        1_024, ge=0, description="Bytes a second a body must reach on average after its first 10 s; 0 sets no minimum."
    )
    shutdown_grace_s: int = Field(30, ge=0, description="How long running calls may go on after SIGTERM.")
