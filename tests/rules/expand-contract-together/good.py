import sqlalchemy as sa
from alembic import op


def upgrade():
    op.add_column("users", sa.Column("full_name", sa.Text()))
    op.drop_column("orders", "user_id")


def downgrade():
    op.add_column("orders", sa.Column("user_id", sa.BigInteger()))
    op.drop_column("users", "full_name")
