"""Merge"""

revision = "c1"
down_revision = ("a1", "b2")


def upgrade():
    pass


def downgrade():
    pass
