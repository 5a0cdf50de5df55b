"""root"""

from alembic import op

revision = "root"
down_revision = None


def upgrade():
    op.execute("CREATE TABLE t_root ()")


def downgrade():
    op.execute("DROP TABLE t_root")
