"""Contract: no new order without cents

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"

tidegate_requires = {"backfills": ["0008"], "soak_s": 0, "note": "every release of the shop writes total_cents"}


def upgrade():
    op.create_check_constraint(
        "orders_total_cents_filled", "orders", "total_cents IS NOT NULL", postgresql_not_valid=True
    )


def downgrade():
    op.drop_constraint("orders_total_cents_filled", "orders")
