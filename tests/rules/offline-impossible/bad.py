import sqlalchemy as sa
from alembic import op


def upgrade():
    for (name,) in op.get_bind().execute(sa.text("SELECT name FROM orgs")).fetchall():
        op.execute(sa.text("UPDATE users SET name = 'x' WHERE name = :name").bindparams(name=name))


def downgrade():
    pass
