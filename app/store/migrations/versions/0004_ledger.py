"""The ledger: one row a call."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and its indexes."""
    op.create_table(
        "ledger",
        sa.Column("writer", sa.String(16), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("client_name", sa.String(255), nullable=False),
        sa.Column("surface", sa.String(16), nullable=False),
        sa.Column("operation", sa.String(64), nullable=False),
        sa.Column("model", sa.String(127)),
        sa.Column("outcome", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("thinking_tokens", sa.BigInteger, nullable=False),
        sa.Column("cached_tokens", sa.BigInteger, nullable=False),
        sa.Column("input_text", sa.BigInteger, nullable=False),
        sa.Column("input_image", sa.BigInteger, nullable=False),
        sa.Column("input_audio", sa.BigInteger, nullable=False),
        sa.Column("input_video", sa.BigInteger, nullable=False),
        sa.Column("input_document", sa.BigInteger, nullable=False),
        sa.Column("bytes_in", sa.BigInteger, nullable=False),
        sa.Column("bytes_out", sa.BigInteger, nullable=False),
        sa.Column("first_byte_ms", sa.Float),
        sa.Column("total_ms", sa.Float, nullable=False),
        sa.Column("cost_usd", sa.Float),
        sa.Column("metadata", sa.Text),
    )
    op.create_index("ledger_by_client", "ledger", ["client_id", "at"])
    op.create_index("ledger_by_time", "ledger", ["at"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("ledger")
