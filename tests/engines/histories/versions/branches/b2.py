"""Billing, more"""

from alembic import op

revision = "b2"
down_revision = "b1"


def upgrade():
    op.execute("CREATE TABLE invoices ()")


def downgrade():
    op.execute("DROP TABLE invoices")
