import sqlalchemy as sa
from alembic import op


def upgrade():
    op.add_column("users", sa.Column("nick", sa.Text()))


def downgrade():
    raise RuntimeError("the old names are gone")
