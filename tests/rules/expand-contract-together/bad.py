import sqlalchemy as sa
from alembic import op


def upgrade():
    op.add_column("users", sa.Column("full_name", sa.Text()))
    op.drop_column("users", "name")


def downgrade():
    op.add_column("users", sa.Column("name", sa.Text()))
    op.drop_column("users", "full_name")
