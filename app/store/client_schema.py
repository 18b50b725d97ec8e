"""The tables of clients, their keys, and the uses of short-lived tokens.

    client_keys (a hash, an expiry) ──> clients (a name, permissions, limits)

Times are seconds of the gateway's own clock since the epoch.
"""

from sqlalchemy import JSON, Float, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.store.schema import Base


class ClientRow(Base):
    """One client. It stays after it is revoked, so that its name is not used again."""

    __tablename__ = "clients"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    models: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    origins: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    limits: Mapped[dict[str, float]] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(Float)
    revoked_at: Mapped[float | None] = mapped_column(Float)


class ClientKeyRow(Base):
    """One key of a client; only the SHA-256 of its secret is stored."""

    __tablename__ = "client_keys"
    __table_args__ = (Index("client_keys_by_client", "client_id"),)

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    client_id: Mapped[str] = mapped_column(String(32), ForeignKey("clients.id", ondelete="CASCADE"))
    secret_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[float] = mapped_column(Float)
    expires_at: Mapped[float | None] = mapped_column(Float)
    revoked_at: Mapped[float | None] = mapped_column(Float)


class TokenUseRow(Base):
    """The number of uses of a short-lived token with a maximum; deleted when the token has expired."""

    __tablename__ = "token_uses"
    __table_args__ = (Index("token_uses_by_expiry", "expires_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    used: Mapped[int] = mapped_column(Integer)
    expires_at: Mapped[float] = mapped_column(Float)
