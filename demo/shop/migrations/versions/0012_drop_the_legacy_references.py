"""Drop the legacy references

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade():
    op.drop_column("customers", "legacy_ref")


def downgrade():
    """Brings back the column, not its values: those are gone for good."""
    comment = "Number in the system the shop was moved from"
    op.add_column("customers", sa.Column("legacy_ref", sa.Text, comment=comment))
