import sqlalchemy as sa
from alembic import op


def upgrade():
    op.add_column("users", sa.Column("nick", sa.Text()))


def downgrade():
    if op.get_context().dialect.name != "postgresql":
        raise RuntimeError("only PostgreSQL can do this")
    op.drop_column("users", "nick")
