import sqlalchemy as sa
from alembic import op

COLUMNS = ("nick", "city")


def upgrade():
    for name in COLUMNS:
        if name != "city":
            op.execute(f"ALTER TABLE users ADD COLUMN IF NOT EXISTS {name} text")
        else:
            op.add_column("users", sa.Column(name, sa.Text()))


def downgrade():
    for name in COLUMNS:
        op.drop_column("users", name)
