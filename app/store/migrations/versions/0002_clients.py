"""Clients, their keys, and the uses of short-lived tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the three tables and their indexes."""
    op.create_table(
        "clients",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("models", sa.JSON),
        sa.Column("origins", sa.JSON),
        sa.Column("limits", sa.JSON, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("revoked_at", sa.Float),
    )
    op.create_table(
        "client_keys",
        sa.Column("id", sa.String(12), primary_key=True),
        sa.Column("client_id", sa.String(32), sa.ForeignKey("clients.id", ondelete="CASCADE"), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float),
        sa.Column("revoked_at", sa.Float),
    )
    op.create_index("client_keys_by_client", "client_keys", ["client_id"])
    op.create_table(
        "token_uses",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("used", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
    op.create_index("token_uses_by_expiry", "token_uses", ["expires_at"])


def downgrade() -> None:
    """Drop the three tables."""
    op.drop_table("token_uses")
    op.drop_table("client_keys")
    op.drop_table("clients")
