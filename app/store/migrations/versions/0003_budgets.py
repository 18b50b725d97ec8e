"""Budgets of days and months, and the reservations of calls that still run."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables and the index by which abandoned reservations are found."""
    op.create_table(
        "budgets",
        sa.Column("subject", sa.String(300), primary_key=True),
        sa.Column("period", sa.String(10), primary_key=True),
        sa.Column("ends_at", sa.Float, nullable=False),
        sa.Column("tokens_limit", sa.BigInteger),
        sa.Column("cost_limit", sa.BigInteger),
        sa.Column("bytes_limit", sa.BigInteger),
        sa.Column("tokens_used", sa.BigInteger, nullable=False),
        sa.Column("tokens_reserved", sa.BigInteger, nullable=False),
        sa.Column("cost_used", sa.BigInteger, nullable=False),
        sa.Column("cost_reserved", sa.BigInteger, nullable=False),
        sa.Column("bytes_used", sa.BigInteger, nullable=False),
    )
    op.create_index("budgets_by_end", "budgets", ["ends_at"])
    op.create_table(
        "reservations",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("budgets", sa.Text, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("lease_until", sa.Float, nullable=False),
        sa.Column("swept_at", sa.Float),
    )
    op.create_index("reservations_by_lease", "reservations", ["lease_until"])


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("reservations")
    op.drop_table("budgets")
