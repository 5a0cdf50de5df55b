"""Backfill: order totals in cents

Tidegate reads the declaration below and fills the column in chunks, as a step of its own. Under plain Alembic the
declaration means nothing, and upgrade() does the same work in one statement.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"

tidegate_backfill = {
    "table": "orders",
    "set": {"total_cents": "round(total * 100)::bigint"},
    "where": "total_cents IS NULL",
}


def upgrade():
    if not op.get_context().config.attributes.get("tidegate"):
        op.execute("UPDATE orders SET total_cents = round(total * 100)::bigint WHERE total_cents IS NULL")


def downgrade():
    """Nothing to undo: the old column still holds every total, and 0007 drops the new one."""
