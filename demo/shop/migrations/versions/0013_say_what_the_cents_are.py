"""Say what the cents are

A comment and a nullable column: harmless.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade():
    op.execute("COMMENT ON COLUMN orders.total_cents IS 'Total of all lines, in cents of the shop''s currency'")
    op.add_column("orders", sa.Column("note", sa.Text))


def downgrade():
    op.drop_column("orders", "note")
    op.execute("COMMENT ON COLUMN orders.total_cents IS NULL")
