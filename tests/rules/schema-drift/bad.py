import sqlalchemy as sa
from alembic import op


def upgrade():
    op.add_column("users", sa.Column("nick", sa.Text()))
    op.drop_constraint("users_email_key", "users")


def downgrade():
    op.drop_column("users", "nick")
