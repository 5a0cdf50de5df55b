"""Every line has a quantity

Reads the whole table, but in a transaction of its own, past readers and writers.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade():
    op.execute("ALTER TABLE order_lines VALIDATE CONSTRAINT order_lines_quantity_positive")


def downgrade():
    """PostgreSQL cannot un-validate, so the constraint is made again as 0005 left it."""
    op.drop_constraint("order_lines_quantity_positive", "order_lines")
    op.create_check_constraint(
        "order_lines_quantity_positive", "order_lines", "quantity > 0", postgresql_not_valid=True
    )
