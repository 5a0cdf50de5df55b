"""Add a price

Longer text.
"""

import sqlalchemy as sa
from alembic import op

revision = "002"
down_revision = "001"
tidegate_backfill = {"table": "items", "set": {"price": "0"}, "where": "price IS NULL"}


def upgrade():
    op.add_column("items", sa.Column("price", sa.Integer))
    op.execute("INSERT INTO items (name) VALUES ('100% new: it''s \\:fine')")


def downgrade():
    op.drop_column("items", "price")
