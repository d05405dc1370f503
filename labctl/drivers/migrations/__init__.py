"""Alembic's migrations, shipped with the package. Each is run once on each database, in order; none is edited afterwards."""
