"""Alembic's way in: run the migrations on the connection that was handed over, inside its transaction."""

from __future__ import annotations

from alembic import context

from labctl.drivers.database import tables

connection = context.config.attributes["connection"]
# SQLite changes tables in transactions too, once Python's driver is kept from ending them (`database.connection`).
context.configure(connection=connection, target_metadata=tables.metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
