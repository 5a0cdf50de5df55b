"""Slow"""

from alembic import op

revision = "e1"
down_revision = None


def upgrade():
    op.execute("CREATE TABLE before_sleep ()")
    op.execute("SELECT pg_sleep(30)")


def downgrade():
    pass
