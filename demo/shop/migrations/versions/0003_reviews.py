"""Reviews

The indexes are plain ones: on a table made here nobody waits for them.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    op.create_table(
        "reviews",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("product_id", sa.BigInteger, sa.ForeignKey("products.id"), nullable=False),
        sa.Column("customer_id", sa.BigInteger, sa.ForeignKey("customers.id"), nullable=False),
        sa.Column("stars", sa.Integer, sa.CheckConstraint("stars BETWEEN 1 AND 5"), nullable=False),
        sa.Column("body", sa.Text, server_default="", nullable=False),
    )
    op.create_index("reviews_product_id", "reviews", ["product_id"])
    op.create_index("reviews_customer_id", "reviews", ["customer_id"])


def downgrade():
    op.drop_table("reviews")
