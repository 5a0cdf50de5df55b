import sqlalchemy as sa
from alembic import op


def upgrade():
    op.add_column("users", sa.Column("nick", sa.Text()))
    op.drop_constraint("orders_user_fkey", "orders")


def downgrade():
    op.create_foreign_key("orders_user_fkey", "orders", "users", ["user_id"], ["id"])
    op.drop_column("users", "nick")
