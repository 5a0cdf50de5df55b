"""Plain again"""

from alembic import op

revision = "o5"
down_revision = "o4"


def upgrade():
    op.execute("CREATE TABLE o5 ()")


def downgrade():
    pass
