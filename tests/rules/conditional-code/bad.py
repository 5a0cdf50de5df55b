import sqlalchemy as sa
from alembic import op


def has_nick(bind):
    columns = sa.inspect(bind).get_columns("users")
    return any(column["name"] == "nick" for column in columns)


def upgrade():
    if not has_nick(op.get_bind()):
        op.add_column("users", sa.Column("nick", sa.Text()))


def downgrade():
    op.drop_column("users", "nick")
