import sqlalchemy as sa
from alembic import op


def upgrade():
    op.add_column("users", sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.func.now()))


def downgrade():
    op.drop_column("users", "seen_at")
