import sqlalchemy as sa
from alembic import op


def upgrade():
    op.create_table(
        "jobs", sa.Column("id", sa.BigInteger()), sa.Column("state", sa.Enum("on", "off", name="job_state"))
    )


def downgrade():
    op.drop_table("jobs")
