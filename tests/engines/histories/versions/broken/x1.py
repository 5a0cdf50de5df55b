"""Fails in the middle"""

from alembic import op

revision = "x1"
down_revision = None


def upgrade():
    op.execute("CREATE TABLE before_the_fall ()")
    op.execute("INSERT INTO nowhere VALUES ('a secret row')")


def downgrade():
    pass
