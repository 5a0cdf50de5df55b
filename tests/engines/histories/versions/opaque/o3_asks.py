"""Asks for the mode"""

from alembic import context, op

revision = "o3"
down_revision = "o2"


def upgrade():
    if context.is_offline_mode():
        return
    op.execute("DROP TABLE users")


def downgrade():
    pass
