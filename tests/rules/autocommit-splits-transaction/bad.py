import sqlalchemy as sa
from alembic import op


def upgrade():
    op.add_column("users", sa.Column("nick", sa.Text()))
    with op.get_context().autocommit_block():
        op.create_index("ix_users_nick", "users", ["nick"], postgresql_concurrently=True)


def downgrade():
    op.drop_column("users", "nick")
