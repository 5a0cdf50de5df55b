"""One plan with everything in it that a rehearsal has to tell: {revision: (body of upgrade, body of downgrade)}.

The target is `SHOP`. Each revision keeps to columns of its own, so that none is in the way of another.
"""

SHOP = (
    "CREATE TABLE users (id int PRIMARY KEY, email varchar(50), nick text DEFAULT 'none', age int)",
    "CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users)",
    "CREATE TABLE notes (id int)",
    "CREATE FUNCTION wipe(t text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE ''TRUNCATE '' || t; END'",
    "INSERT INTO users SELECT i FROM generate_series(1, 100) AS i",
)
BLOCK = """
op.execute('''DO $$ DECLARE t text; BEGIN
    FOR t IN SELECT tablename FROM pg_tables WHERE tablename IN ('users', 'orders') ORDER BY 1 LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN seen boolean', t);
    END LOOP; END $$''')
"""
INSPECTOR = """
for name in sorted(sa.inspect(op.get_bind()).get_table_names()):
    if name in ("users", "orders"):
        op.execute(f"ALTER TABLE {name} ADD COLUMN looked boolean")
"""
LOCKS = """
op.create_table('items', sa.Column('id', sa.Integer), sa.Column('u', sa.Integer, sa.ForeignKey('users.id')))
op.execute('TRUNCATE orders')
op.alter_column('users', 'age', type_=sa.BigInteger())
op.execute('ALTER TABLE notes RENAME TO remarks')
"""
LOCKS_BACK = """
op.execute('ALTER TABLE remarks RENAME TO notes')
op.alter_column('users', 'age', type_=sa.Integer())
op.drop_table('items')
"""
CONCURRENTLY = """
with op.get_context().autocommit_block():
    op.create_index('ix_age', 'users', ['age'], postgresql_concurrently=True)
"""
ROWS_BLOCK = """
op.execute('''DO $$ DECLARE n int; BEGIN
    FOR n IN SELECT id FROM users LOOP EXECUTE 'SELECT ' || n; END LOOP; END $$''')
"""
VALUES = """
op.get_bind().execute(sa.text('UPDATE users SET email = :e WHERE id = :i'), {'e': "it's 5 %", 'i': 7})
"""
PLAN = {
    "block": (BLOCK, "[op.drop_column(t, 'seen') for t in ('users', 'orders')]"),
    "inspector": (INSPECTOR, "[op.drop_column(t, 'looked') for t in ('users', 'orders')]"),
    "locks": (LOCKS, LOCKS_BACK),
    "function": ("op.execute(\"SELECT wipe('orders')\")", "pass"),
    "concurrently": (CONCURRENTLY, "op.drop_index('ix_age')"),
    "values": (VALUES, "pass"),
    "unread": ("op.execute('SELECT max(id) FROM users')", "pass"),
    "select": ("op.get_bind().execute(sa.text('SELECT id FROM users')).scalars().all()", "pass"),
    "returning": ("op.get_bind().execute(sa.text('UPDATE users SET age = 1 RETURNING id')).first()", "pass"),
    "cursor": ("op.get_bind().connection.cursor().execute('SELECT id FROM users')", "pass"),
    "rows_block": (ROWS_BLOCK, "pass"),
    "program": ("import subprocess; subprocess.run(['true'])", "pass"),
    "length": (
        "op.alter_column('users', 'email', type_=sa.String(200))",
        "op.alter_column('users', 'email', type_=sa.String(60))",
    ),
    "default": ("op.drop_column('users', 'nick')", "op.add_column('users', sa.Column('nick', sa.Text))"),
    "raises": ("op.add_column('users', sa.Column('a', sa.Integer))", "raise RuntimeError('never')"),
    "index": ("op.create_index('ix', 'users', ['email'])", "pass"),
    "enum": (
        "op.create_table('kinds', sa.Column('kind', sa.Enum('a', 'b', name='kind')))",
        "op.drop_table('kinds')",
    ),
}
