"""Takes its URL from the environment, runs online only, and prints."""

import os
import sys

from alembic import context
from sqlalchemy import create_engine

sys.stdout.write("hello from env.py, with " + os.environ["SHOP_URL"] + "\n")
engine = create_engine(os.environ["SHOP_URL"], pool_pre_ping=True)
with engine.connect() as connection:
    context.configure(connection=connection, version_table="shop_version")
    with context.begin_transaction():
        context.run_migrations()
