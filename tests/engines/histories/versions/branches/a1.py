"""Accounts"""

from alembic import op

revision = "a1"
down_revision = None
branch_labels = ("accounts",)


def upgrade():
    op.execute("CREATE TABLE accounts ()")


def downgrade():
    op.execute("DROP TABLE accounts")
