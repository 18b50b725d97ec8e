"""Clients' resources at Gemini other than files."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and its indexes."""
    op.create_table(
        "resources",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("model", sa.String(127)),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("call", sa.String(36)),
        sa.Column("is_settled", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
    op.create_index("resources_by_owner", "resources", ["owner", "kind", "created_at"])
    op.create_index("resources_by_expiry", "resources", ["expires_at"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("resources")
