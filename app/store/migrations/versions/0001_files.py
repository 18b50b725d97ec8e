"""The registry of files and uploads."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables and their indexes."""
    op.create_table(
        "uploads",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("mime_type", sa.String(127), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("uri", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("session", sa.LargeBinary),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sa.Column("orientation", sa.Integer),
        sa.Column("duration", sa.Float),
        sa.Column("pages", sa.Integer),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("used_at", sa.Float, nullable=False),
        sa.Column("lease_until", sa.Float),
    )
    op.create_index("uploads_by_digest", "uploads", ["owner", "sha256"])
    op.create_index("uploads_by_lease", "uploads", ["lease_until"])
    op.create_index("uploads_by_expiry", "uploads", ["expires_at"])
    op.create_table(
        "files",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("upload_name", sa.String(40), sa.ForeignKey("uploads.name", ondelete="CASCADE"), nullable=False),
        sa.Column("origin", sa.String(8), nullable=False),
        sa.Column("filename", sa.Text),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("deleted_at", sa.Float),
    )
    op.create_index("files_by_owner", "files", ["owner", "created_at"])
    op.create_index("files_by_upload", "files", ["upload_name"])


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("files")
    op.drop_table("uploads")
