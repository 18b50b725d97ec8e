"""Alembic's environment: the migrations run on the connection that the registry hands over, and on no other."""

from alembic import context

from app.store import client_schema  # noqa: F401  # its tables are part of the metadata
from app.store.schema import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
