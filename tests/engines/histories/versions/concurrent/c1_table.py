"""Table"""

import sqlalchemy as sa
from alembic import op

revision = "c1"
down_revision = None


def upgrade():
    op.create_table("wide", sa.Column("id", sa.Integer, primary_key=True), sa.Column("n", sa.Integer))


def downgrade():
    op.drop_table("wide")
