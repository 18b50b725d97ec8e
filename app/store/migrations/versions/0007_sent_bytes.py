"""Files of transcoded text: the size and the digest of the bytes that the client sent."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("files", sa.Column("sent_bytes", sa.BigInteger))
    op.add_column("files", sa.Column("sent_sha256", sa.String(64)))


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("files", "sent_sha256")
    op.drop_column("files", "sent_bytes")
