"""The tables. The registry has two, since several ids of one owner may refer to one file at Gemini.

    files (a client's id: id, filename, origin) ──> uploads (a file at Gemini: name, bytes, state, expiry)
    reservations (a running call: its held amounts) ──> budgets (the used amounts of a day or month)
    ledger (one row per call)

Times are seconds since the epoch, in the registry and the ledger by Gemini's clock. Money is whole billionths of a US
dollar, so that sums are exact.
"""

from datetime import date

from sqlalchemy import BigInteger, Boolean, Date, Float, ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The declarative base of the tables."""


class UploadRow(Base):
    """One file at Gemini, recorded before its upload starts, so that a crash at any point leaves a row."""

    __tablename__ = "uploads"
    __table_args__ = (
        Index("uploads_by_digest", "owner", "sha256"),
        Index("uploads_by_lease", "lease_until"),
        Index("uploads_by_expiry", "expires_at"),
        Index("uploads_by_alias", "owner", "alias", unique=True),
    )

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(16))
    mime_type: Mapped[str] = mapped_column(String(127))
    size_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str | None] = mapped_column(String(64))
    uri: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    session: Mapped[bytes | None] = mapped_column(LargeBinary)
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    orientation: Mapped[int | None] = mapped_column(Integer)
    duration: Mapped[float | None] = mapped_column(Float)
    pages: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[float] = mapped_column(Float)
    expires_at: Mapped[float] = mapped_column(Float)
    used_at: Mapped[float] = mapped_column(Float)
    lease_until: Mapped[float | None] = mapped_column(Float)
    # Only Google's own paths need these: a client's own name, Gemini's description, the names in a batch's lines.
    alias: Mapped[str | None] = mapped_column(String(40))
    document: Mapped[str | None] = mapped_column(Text)
    named: Mapped[str | None] = mapped_column(Text)


class UploadSessionRow(Base):
    """The session of a client of Gemini's own upload protocol; deleted with its upload's row.

    Only the SHA-256 of its URL is stored. `fence` numbers its writers: only the newest may write, until
    `writing_until`. `received` is the number of bytes known to be at Gemini; `is_unsure` says that a command may have
    changed it.
    """

    __tablename__ = "upload_sessions"
    __table_args__ = (Index("upload_sessions_by_upload", "upload_name"),)

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    upload_name: Mapped[str] = mapped_column(String(40), ForeignKey("uploads.name", ondelete="CASCADE"))
    declared_bytes: Mapped[int | None] = mapped_column(BigInteger)
    granularity: Mapped[int] = mapped_column(Integer)
    received: Mapped[int] = mapped_column(BigInteger)
    is_unsure: Mapped[bool] = mapped_column(Boolean)
    fence: Mapped[int] = mapped_column(Integer)
    writing_until: Mapped[float] = mapped_column(Float)
    scan: Mapped[bytes | None] = mapped_column(LargeBinary)


class FileRow(Base):
    """One id of a client."""

    __tablename__ = "files"
    __table_args__ = (Index("files_by_owner", "owner", "created_at"), Index("files_by_upload", "upload_name"))

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(255))
    upload_name: Mapped[str] = mapped_column(String(40), ForeignKey("uploads.name", ondelete="CASCADE"))
    origin: Mapped[str] = mapped_column(String(8))
    filename: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Float)
    deleted_at: Mapped[float | None] = mapped_column(Float)
    # Of a text that was transcoded: the bytes that the client sent.
    sent_bytes: Mapped[int | None] = mapped_column(BigInteger)
    sent_sha256: Mapped[str | None] = mapped_column(String(64))


class ResourceRow(Base):
    """One object at Gemini that is not an uploaded file; `call` names the reservation for its later cost."""

    __tablename__ = "resources"
    __table_args__ = (
        Index("resources_by_owner", "owner", "kind", "created_at"),
        Index("resources_by_expiry", "expires_at"),
    )

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    owner: Mapped[str] = mapped_column(String(255))
    model: Mapped[str | None] = mapped_column(String(127))
    tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    call: Mapped[str | None] = mapped_column(String(36))
    is_settled: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[float] = mapped_column(Float)
    expires_at: Mapped[float] = mapped_column(Float)


class BudgetRow(Base):
    """One owner's day or month. The limits are those of the last call, for display; None means no limit."""

    __tablename__ = "budgets"
    __table_args__ = (Index("budgets_by_end", "ends_at"),)

    subject: Mapped[str] = mapped_column(String(300), primary_key=True)
    period: Mapped[str] = mapped_column(String(10), primary_key=True)
    ends_at: Mapped[float] = mapped_column(Float)
    tokens_limit: Mapped[int | None] = mapped_column(BigInteger)
    cost_limit: Mapped[int | None] = mapped_column(BigInteger)
    bytes_limit: Mapped[int | None] = mapped_column(BigInteger)
    tokens_used: Mapped[int] = mapped_column(BigInteger)
    tokens_reserved: Mapped[int] = mapped_column(BigInteger)
    cost_used: Mapped[int] = mapped_column(BigInteger)
    cost_reserved: Mapped[int] = mapped_column(BigInteger)
    bytes_used: Mapped[int] = mapped_column(BigInteger)


class ReservationRow(Base):
    """The amounts that one call holds until it is settled, or until its lease ends.

    `budgets` is JSON: subject and period of each. A swept reservation, booked at its estimate, stays for a while, so
    that a slow call can still be settled to its actual use.
    """

    __tablename__ = "reservations"
    __table_args__ = (Index("reservations_by_lease", "lease_until"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    budgets: Mapped[str] = mapped_column(Text)
    tokens: Mapped[int] = mapped_column(BigInteger)
    cost: Mapped[int] = mapped_column(BigInteger)
    lease_until: Mapped[float] = mapped_column(Float)
    swept_at: Mapped[float | None] = mapped_column(Float)


class LedgerRow(Base):
    """One call that has ended.

    `writer` is the process that writes the row and `number` its count there, so that a batch can be repeated if its
    success is unknown.
    """

    __tablename__ = "ledger"
    __table_args__ = (Index("ledger_by_client", "client_id", "at"), Index("ledger_by_time", "at"))

    writer: Mapped[str] = mapped_column(String(16), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[float] = mapped_column(Float)
    day: Mapped[date] = mapped_column(Date)
    client_id: Mapped[str] = mapped_column(String(255))
    client_name: Mapped[str] = mapped_column(String(255))
    surface: Mapped[str] = mapped_column(String(16))
    operation: Mapped[str] = mapped_column(String(64))
    model: Mapped[str | None] = mapped_column(String(127))
    outcome: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column(Integer)
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)
    thinking_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_tokens: Mapped[int] = mapped_column(BigInteger)
    input_text: Mapped[int] = mapped_column(BigInteger)
    input_image: Mapped[int] = mapped_column(BigInteger)
    input_audio: Mapped[int] = mapped_column(BigInteger)
    input_video: Mapped[int] = mapped_column(BigInteger)
    input_document: Mapped[int] = mapped_column(BigInteger)
    bytes_in: Mapped[int] = mapped_column(BigInteger)
    bytes_out: Mapped[int] = mapped_column(BigInteger)
    first_byte_ms: Mapped[float | None] = mapped_column(Float)
    total_ms: Mapped[float] = mapped_column(Float)
    cost_usd: Mapped[float | None] = mapped_column(Float)
    # SQLAlchemy reserves the attribute's name.
    given_metadata: Mapped[str | None] = mapped_column("metadata", Text)
