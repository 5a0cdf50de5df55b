"""No new line without a quantity

Only new rows are checked from here on; 0006 reads the old ones.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade():
    op.create_check_constraint(
        "order_lines_quantity_positive", "order_lines", "quantity > 0", postgresql_not_valid=True
    )


def downgrade():
    op.drop_constraint("order_lines_quantity_positive", "order_lines")
