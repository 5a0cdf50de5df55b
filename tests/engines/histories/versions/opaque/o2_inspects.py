"""Inspects"""

import sqlalchemy as sa
from alembic import op

revision = "o2"
down_revision = "o1"


def upgrade():
    if "users" in sa.inspect(op.get_bind()).get_table_names():
        op.drop_table("users")


def downgrade():
    pass
