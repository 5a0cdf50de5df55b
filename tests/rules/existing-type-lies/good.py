import sqlalchemy as sa
from alembic import op


def upgrade():
    op.alter_column("users", "email", existing_type=sa.String(200), existing_nullable=True, comment="where we write to")
    op.alter_column("users", "price", existing_type=sa.Numeric(12, 4), comment="per month")


def downgrade():
    op.alter_column("users", "email", existing_type=sa.String(200), comment=None)
