import json
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

nicks: Sequence[str] = json.loads("[]")


def upgrade():
    op.add_column("users", sa.Column("nicks", postgresql.ARRAY(sa.Text())))


def downgrade():
    op.drop_column("users", "nicks")
