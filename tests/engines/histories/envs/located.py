"""Sets its version locations at run time, as prefect does."""

import os
import pathlib

from alembic import context

context.script.version_locations = [str(pathlib.Path(os.environ["REVISIONS"]))]
context.configure(url="postgresql://", literal_binds=True)
with context.begin_transaction():
    context.run_migrations()
