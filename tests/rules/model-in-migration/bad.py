import sqlalchemy as sa
from alembic import op


def upgrade():
    op.add_column("users", sa.Column("nick", sa.Text()))
    if op.get_context().dialect.name == "sqlite":
        from shop.models import User

        User.fill_nicks()


def downgrade():
    op.drop_column("users", "nick")
