"""Expand: order totals in cents

A nullable column beside the old one: the catalog changes, no row does.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade():
    op.add_column("orders", sa.Column("total_cents", sa.BigInteger))


def downgrade():
    op.drop_column("orders", "total_cents")
