"""Settings of the database and of the usage ledger."""

from pydantic import Field, field_validator

from app.settings.environment import Environment


class StoreSettings(Environment):
    """Store: the database and the usage ledger."""

    # The URL may hold a password, so no repr shows it.
    database_url: str = Field(
        "sqlite+aiosqlite:///./data/gateway.db",
        repr=False,
        description="The database: SQLite, or PostgreSQL as `postgresql+asyncpg://...`.",
    )
    ledger_flush_s: float = Field(
        2,
        gt=0,
        le=60,
        description="Seconds between writes of the usage ledger; a crash loses at most the rows since the last write.",
    )
    ledger_days: int = Field(400, ge=1, le=36_500, description="Days for which the usage ledger keeps a row.")

    @field_validator("database_url")
    @classmethod
    def _require_a_known_database(cls, value: str) -> str:
        if not value.startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
            raise ValueError("must begin with sqlite+aiosqlite:// or postgresql+asyncpg://")
        return value
