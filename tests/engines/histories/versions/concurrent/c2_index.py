"""Index"""

from alembic import op

revision = "c2"
down_revision = "c1"


def upgrade():
    with op.get_context().autocommit_block():
        op.create_index("ix_wide_n", "wide", ["n"], postgresql_concurrently=True)
        op.execute("CREATE TABLE timeout_of_c2 AS SELECT current_setting('lock_timeout') AS lock_timeout")


def downgrade():
    op.drop_index("ix_wide_n")
