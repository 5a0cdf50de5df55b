"""Advice on the shape of a schema: rare, said once, and aware of what comes before and after."""

from __future__ import annotations

from migrations_app.engines.risk.verdict import RevisionSql, analyse, analyse_each

NOT_VALID = "ALTER TABLE users ADD CONSTRAINT users_org_fkey FOREIGN KEY (org_id) REFERENCES orgs (id) NOT VALID;"
VALIDATE = "ALTER TABLE users VALIDATE CONSTRAINT users_org_fkey;"


def rules(sql: str) -> list[str]:
    return [finding.rule for finding in analyse(sql).findings]


def test_a_usual_good_revision_gets_no_advice() -> None:
    assert (
        rules(
            """
        SET lock_timeout = '2s';
        SET statement_timeout = '1min';
        CREATE TABLE invoices (
            id BIGSERIAL NOT NULL, customer_id BIGINT NOT NULL, total NUMERIC(12, 2) NOT NULL,
            status VARCHAR(20) DEFAULT 'new' NOT NULL, created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            PRIMARY KEY (id), FOREIGN KEY(customer_id) REFERENCES customers (id)
        );
        CREATE INDEX ix_invoices_customer_id ON invoices (customer_id);
        """
        )
        == []
    )


def test_each_thing_is_said_once_for_a_table() -> None:
    told = rules(
        'CREATE TABLE notes (id serial PRIMARY KEY, "A" timestamp, "B" timestamp, c json);'
        'ALTER TABLE notes ADD COLUMN d timestamp, ADD COLUMN "E" timestamp;'
    )
    assert sorted(told) == ["identifier-quoting", "int-primary-key", "prefer-type"]


def test_a_foreign_key_that_a_later_revision_validates_is_not_left_not_valid() -> None:
    def advised(*texts: str) -> bool:
        verdicts = analyse_each([RevisionSql(str(place), [text]) for place, text in enumerate(texts)])
        return "fk-left-not-valid" in {finding.rule for verdict in verdicts for finding in verdict.findings}

    assert advised(NOT_VALID)
    assert advised(VALIDATE, NOT_VALID)
    assert not advised(NOT_VALID, "SELECT 1", VALIDATE)


def test_keys_and_indexes_that_a_dump_adds_far_behind_its_tables_are_seen() -> None:
    count = 900
    tables = [f"CREATE TABLE public.t{i} (id bigint NOT NULL, parent_id bigint);" for i in range(count)]
    keys = [f"ALTER TABLE ONLY public.t{i} ADD CONSTRAINT t{i}_pkey PRIMARY KEY (id);" for i in range(count)]
    found = rules("\n".join([*tables, *keys, "CREATE TABLE public.bare (line text);"]))
    assert found == ["missing-primary-key"]


def test_an_index_made_by_an_earlier_revision_serves_a_later_key() -> None:
    table = "CREATE TABLE users (id bigint PRIMARY KEY, org_id bigint);"
    index = "CREATE INDEX ix_users_org ON users (org_id);"
    told = [
        {
            finding.rule
            for finding in analyse_each([RevisionSql("1", [before]), RevisionSql("2", [NOT_VALID])])[1].findings
        }
        for before in (table, table + index)
    ]
    assert ["fk-without-index" in rules for rules in told] == [True, False]
