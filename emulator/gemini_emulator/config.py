"""The emulator's settings, filled in by the command line; the emulator never reads the environment."""

from dataclasses import dataclass

from gemini_emulator.splitting import SplitMode


@dataclass(frozen=True, slots=True)
class EmulatorConfig:
    """The emulator's settings.

    Attributes:
        processing_delay_s: how long an uploaded video is PROCESSING; other kinds are ACTIVE at once.
        file_lifetime_s: how long a file lives, on the emulator's own clock.
        project_quota_bytes: stored bytes of all files before uploads are refused with a 429.
        max_file_bytes: the largest file taken.
        refuse_unknown_length: refuse resumable sessions that declare no length.
        granularity: every chunk but the last must be a multiple of this many bytes.
        kept_bytes: how much of each file is kept to look at; its SHA-256 is always of the whole.
        kept_total_bytes: how much is kept of all files and sessions together; beyond it, less is kept of each.
        stream_chunk_delay_s: pause between the chunks of a streamed answer.
        batch_delay_s: how long a batch is PENDING, then RUNNING, together.
        background_delay_s: how long a background interaction is queued, then in progress, together.
        request_limit_bytes: the largest JSON body; above it, a 413.
        requests_per_minute: model calls a minute before a 429; None for no limit.
        hop_tokens: the longest answer to a request of a long decode, in tokens; None for Gemini's limits.
        split_answers: how the body of every answer is cut into TCP segments.

    """

    processing_delay_s: float = 0.5
    file_lifetime_s: float = 172_800
    project_quota_bytes: int = 20_000_000_000
    max_file_bytes: int = 2_147_483_648
    refuse_unknown_length: bool = False
    granularity: int = 262_144
    kept_bytes: int = 64 * 1024 * 1024
    kept_total_bytes: int = 1024 * 1024 * 1024
    stream_chunk_delay_s: float = 0.0
    batch_delay_s: float = 0.5
    background_delay_s: float = 0.5
    request_limit_bytes: int = 100_000_000
    requests_per_minute: int | None = None
    hop_tokens: int | None = None
    split_answers: SplitMode = SplitMode.NONE
