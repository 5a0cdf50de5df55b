"""How Alembic reaches the shop's database: an ordinary env.py, as any team would write it."""

import os
from logging.config import fileConfig

from alembic import context
from sqlalchemy import create_engine, make_url, pool

config = context.config
if config.config_file_name is not None:
    fileConfig(config.config_file_name, disable_existing_loggers=False)


def database_url():
    """SHOP_DATABASE_URL wins over the ini file. A bare postgresql:// means psycopg 3 here."""
    url = make_url(os.environ.get("SHOP_DATABASE_URL") or config.get_main_option("sqlalchemy.url"))
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def run_offline():
    context.configure(dialect_name="postgresql", literal_binds=True, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


def run_online():
    engine = create_engine(database_url(), poolclass=pool.NullPool)
    with engine.connect() as connection:
        # One transaction a revision: revision 0004 has to leave its own to build an index concurrently.
        context.configure(connection=connection, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
