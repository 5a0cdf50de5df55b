"""Add a discount"""

import sqlalchemy as sa
from alembic import op

revision = "003"
down_revision = "002"


def upgrade():
    op.add_column("items", sa.Column("discount", sa.Integer))


def downgrade():
    op.drop_column("items", "discount")
