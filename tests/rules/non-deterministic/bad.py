import uuid

import sqlalchemy as sa
from alembic import op


def upgrade():
    op.add_column("users", sa.Column("tenant", sa.Text(), server_default=str(uuid.uuid4())))


def downgrade():
    op.drop_column("users", "tenant")
