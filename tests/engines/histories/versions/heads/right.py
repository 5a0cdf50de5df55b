"""right"""

from alembic import op

revision = "right"
down_revision = "root"


def upgrade():
    op.execute("CREATE TABLE t_right ()")


def downgrade():
    op.execute("DROP TABLE t_right")
