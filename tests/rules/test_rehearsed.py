"""Rules about rehearsals: bad.py and good.py are rehearsed on a copy of the setup, up, down and up again."""

from __future__ import annotations

import ast
import secrets
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from migrations_app.engines.postgres.address import parse
from migrations_app.engines.postgres.facts import facts_for
from migrations_app.engines.rehearsal.schema_copy import copy_schema
from migrations_app.engines.risk.registry import RULES
from migrations_app.engines.risk.verdict import Analysis, analyse_each
from tests.engines.rehearsals import rehearsed
from tests.rules import revision_examples
from tests.rules.test_examples import Example, check_findings

HERE = Path(__file__).parent
REHEARSED = [name for name, rule in RULES.items() if "@rehearsal" in rule.nodes]


def bodies(path: Path) -> dict[str, str]:
    """The bodies of upgrade() and downgrade() as they stand in the file."""
    functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    return {each.name: "\n".join(ast.unparse(statement) for statement in each.body) for each in functions}


def judged(path: Path, setup: str, server_url: str, folder: Path) -> Analysis:
    server = parse(server_url)
    target = replace(server, database=f"t_{secrets.token_hex(6)}")
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {target.database} TEMPLATE template0 STRATEGY file_copy")
        try:
            with psycopg.connect(target.url(with_password=True), autocommit=True) as conn:
                conn.execute(setup)
                revision = revision_examples.read(path)
                facts = facts_for(conn, [revision])
            with copy_schema(target, server) as scratch:
                code = bodies(path)
                outcome = rehearsed(folder, scratch, {path.stem: (code["upgrade"], code["downgrade"])})
        finally:
            admin.execute(f"DROP DATABASE {target.database} WITH (FORCE)")
    return analyse_each([replace(revision, rehearsed=outcome.by_id[path.stem])], facts=facts)[0]


@pytest.mark.parametrize("kind", ["bad", "good"])
@pytest.mark.parametrize("rule", REHEARSED)
def test_a_rehearsal_tells_the_bad_example_from_the_good_one(
    rule: str, kind: str, primary_server_url: str, tmp_path: Path
) -> None:
    example = Example(rule, kind)
    analysis = judged(HERE / rule / f"{kind}.py", example.setup, primary_server_url, tmp_path)
    assert analysis.rehearsed
    check_findings(example, analysis)
