"""Find the orders of a customer

The shop stays open: the index is built outside a transaction, past readers and writers.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade():
    with op.get_context().autocommit_block():
        op.create_index("orders_customer_id", "orders", ["customer_id"], postgresql_concurrently=True)


def downgrade():
    with op.get_context().autocommit_block():
        op.drop_index("orders_customer_id", "orders", postgresql_concurrently=True)
