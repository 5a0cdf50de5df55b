"""Reads what the catalog holds of relations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

from migrations_app.engines.postgres import facts_sql
from migrations_app.engines.postgres.facts_depend import Dependents
from migrations_app.engines.postgres.facts_other import by_first, words_by_first
from migrations_app.engines.risk.facts import ColumnFacts, ConstraintFacts, IndexFacts, TableFacts, TriggerFacts

Rows = Mapping[int, list[Sequence[Any]]]


def read(
    conn: psycopg.Connection, asked: Mapping[str, Any], sizes: Mapping[int, Sequence[Any]], dependents: Dependents
) -> dict[int, TableFacts]:
    """The relations by oid, near ones first, without what only their rows can tell."""
    with conn.cursor(row_factory=dict_row) as cursor:
        relations = {row.pop("oid"): row for row in cursor.execute(facts_sql.RELATIONS.encode(), asked)}
    parts = {query: by_first(conn.execute(query.encode(), asked)) for query in (
        facts_sql.COLUMNS, facts_sql.CONSTRAINTS, facts_sql.INDEXES, facts_sql.TRIGGERS,
    )}  # fmt: skip
    told: dict[str, dict[int, Any]] = {field: words_by_first(conn.execute(query.encode(), asked)) for field, query in {
        "referenced_by": facts_sql.REFERENCED_BY, "partitions": facts_sql.CHILDREN, "policies": facts_sql.POLICIES,
        "rules": facts_sql.RULES, "reads": facts_sql.READS,
        "publications": facts_sql.published(conn.info.server_version),
    }.items()}  # fmt: skip
    of_columns: dict[int, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for (kind, oid, name), words in dependents.items():
        if kind == "column":
            of_columns[oid][name] = words
    row = conn.execute(facts_sql.STATISTICS_AGE.encode()).fetchone()
    return {
        oid: TableFacts(
            **{**relations[oid], "options": tuple(relations[oid]["options"])},
            **{field: words.get(oid, ()) for field, words in told.items()},
            **_parts(oid, parts),
            **_usage(sizes.get(oid), row[0] if row else None),
            dependents=dependents.get(("table", oid, ""), ()),
            column_dependents=of_columns.get(oid, {}),
        )
        for oid in asked["oids"]
        if oid in relations
    }


def _parts(oid: int, parts: Mapping[str, Rows]) -> dict[str, Any]:
    def rows(query: str) -> Sequence[Sequence[Any]]:
        return parts[query].get(oid, [])

    return {
        "columns": {
            name: ColumnFacts(name, type_name, not_null, None, default, False if not_null else None, *rest)
            for name, type_name, not_null, default, *rest in rows(facts_sql.COLUMNS)
        },
        "constraints": tuple(
            ConstraintFacts(name, kind, tuple(columns), definition, validated, parent, tuple(parents), *rest)
            for name, kind, columns, definition, validated, parent, parents, *rest in rows(facts_sql.CONSTRAINTS)
        ),
        "indexes": tuple(IndexFacts(name, tuple(columns), *rest) for name, columns, *rest in rows(facts_sql.INDEXES)),
        "triggers": tuple(TriggerFacts(*row) for row in rows(facts_sql.TRIGGERS)),
    }


def _usage(sizes: Sequence[Any] | None, stats_age_s: float | None) -> dict[str, Any]:
    if sizes is None:
        return {}
    _, total_bytes, _, _, seq_scans, idx_scans, writes = sizes
    return {
        "bytes": total_bytes,
        "seq_scans": seq_scans,
        "idx_scans": idx_scans,
        "writes": writes,
        "stats_age_s": stats_age_s,
    }
