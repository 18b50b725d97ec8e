"""Settings of the database and of the usage ledger."""

from pydantic import Field, field_validator

from app.settings.environment import Environment


class StoreSettings(Environment):
    """Store: the database and the usage ledger."""

    database_url: str = Field(
        "sqlite+aiosqlite:///./data/gateway.db",
        repr=False,
        description="The registry: SQLite, or postgresql+asyncpg://... It may hold a password, so it is never shown.",
    )
    ledger_flush_s: float = Field(
        2, gt=0, le=60, description="How often the usage ledger is written; a crash loses at most what came since."
    )
    ledger_days: int = Field(400, ge=1, le=36_500, description="How many days a call stays in the usage ledger.")

    @field_validator("database_url")
    @classmethod
    def _require_a_known_database(cls, value: str) -> str:
        if not value.startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
            raise ValueError("must begin with sqlite+aiosqlite:// or postgresql+asyncpg://")
        return value
