"""Contract: drop the old order totals

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

tidegate_requires = {"backfills": ["0008"], "soak_s": 0, "note": "no release of the shop reads orders.total"}


def upgrade():
    op.drop_column("orders", "total")


def downgrade():
    """The old column can be made again from the cents: nothing was lost but the moment of quiet."""
    op.add_column("orders", sa.Column("total", sa.Numeric(12, 2)))
    op.execute("UPDATE orders SET total = total_cents / 100.0")
    op.alter_column("orders", "total", nullable=False)
