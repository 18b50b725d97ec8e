"""Files of Google's own paths: clients' own names, descriptions, upload sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, and make the table of sessions."""
    op.add_column("uploads", sa.Column("alias", sa.String(40)))
    op.add_column("uploads", sa.Column("document", sa.Text))
    op.add_column("uploads", sa.Column("named", sa.Text))
    op.create_index("uploads_by_alias", "uploads", ["owner", "alias"], unique=True)
    op.create_table(
        "upload_sessions",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("upload_name", sa.String(40), sa.ForeignKey("uploads.name", ondelete="CASCADE"), nullable=False),
        sa.Column("declared_bytes", sa.BigInteger),
        sa.Column("granularity", sa.Integer, nullable=False),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("is_unsure", sa.Boolean, nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("writing_until", sa.Float, nullable=False),
        sa.Column("scan", sa.LargeBinary),
    )
    op.create_index("upload_sessions_by_upload", "upload_sessions", ["upload_name"])


def downgrade() -> None:
    """Drop the added columns and the table of sessions."""
    op.drop_table("upload_sessions")
    op.drop_index("uploads_by_alias", "uploads")
    op.drop_column("uploads", "named")
    op.drop_column("uploads", "document")
    op.drop_column("uploads", "alias")
