"""Billing"""

from alembic import op

revision = "b1"
down_revision = None
branch_labels = ("billing",)
depends_on = ("accounts",)


def upgrade():
    op.execute("CREATE TABLE billing ()")


def downgrade():
    op.execute("DROP TABLE billing")
