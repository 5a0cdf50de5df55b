"""What runs inside the project's interpreter. Nobody in Tidegate imports it: `child.py` loads it over there.

Only the standard library, Alembic and SQLAlchemy may be used, and of these only what all of Python 3.8, Alembic 1.8 and
SQLAlchemy 1.3 up to the newest know. Imports among these files are relative; annotations are never evaluated.
"""
