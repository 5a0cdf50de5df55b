"""Contract: every order has cents

With the constraint proven first, SET NOT NULL reads no row and holds its lock for a moment only.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade():
    op.execute("ALTER TABLE orders VALIDATE CONSTRAINT orders_total_cents_filled")
    op.alter_column("orders", "total_cents", nullable=False)
    op.drop_constraint("orders_total_cents_filled", "orders")


def downgrade():
    op.create_check_constraint(
        "orders_total_cents_filled", "orders", "total_cents IS NOT NULL", postgresql_not_valid=True
    )
    op.alter_column("orders", "total_cents", nullable=True)
