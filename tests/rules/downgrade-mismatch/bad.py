import sqlalchemy as sa
from alembic import op


def upgrade():
    op.alter_column("users", "email", type_=sa.String(300), existing_type=sa.String(200))
    op.create_index("ix_users_name", "users", ["name"], postgresql_where=sa.text("active"))


def downgrade():
    op.drop_index("ix_users_name", "users")
    op.alter_column("users", "email", type_=sa.String(100), existing_type=sa.String(300))
