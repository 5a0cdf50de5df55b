"""needs: catalog"""

import sqlalchemy as sa
from alembic import op


def upgrade():
    op.alter_column("users", "email", existing_type=sa.String(50), existing_nullable=False, comment="where we write to")


def downgrade():
    op.alter_column("users", "email", existing_type=sa.String(50), comment=None)
