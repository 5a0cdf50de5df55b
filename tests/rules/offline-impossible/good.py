from alembic import op


def upgrade():
    op.execute("UPDATE users SET name = orgs.name FROM orgs WHERE orgs.id = users.org_id AND users.name IS NULL")


def downgrade():
    pass
