"""left"""

from alembic import op

revision = "left"
down_revision = "root"


def upgrade():
    op.execute("CREATE TABLE t_left ()")


def downgrade():
    op.execute("DROP TABLE t_left")
