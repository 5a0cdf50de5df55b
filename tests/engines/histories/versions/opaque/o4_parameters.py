"""Parameters"""

import sqlalchemy as sa
from alembic import op

revision = "o4"
down_revision = "o3"


def upgrade():
    op.get_bind().execute(sa.text("DELETE FROM users WHERE id = :id"), {"id": 1})


def downgrade():
    pass
