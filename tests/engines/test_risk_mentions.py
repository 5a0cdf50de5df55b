"""Names of tables and columns in bodies of functions and in statements of programs."""

from __future__ import annotations

import pytest

from migrations_app.engines.risk import mentions, statements
from migrations_app.engines.risk.facts import Facts, FunctionFacts, TableFacts
from migrations_app.engines.risk.session import Session

USERS = TableFacts("public", "users")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM users",
        'select 1 from "public"."users" as u',
        "SELECT 1 FROM orgs o, users u",
        "EXECUTE 'DELETE FROM users WHERE id = $1'",
        "DECLARE found users%ROWTYPE;",
        "DECLARE age public.users.age%TYPE;",
        "TRUNCATE ONLY users; INSERT INTO Users(id) VALUES (1)",
    ],
)
def test_a_table_is_found_where_a_statement_names_it(text: str) -> None:
    assert mentions.names_table(text, USERS)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM users_old",
        "SELECT * FROM sales.users",
        "SELECT users FROM orgs",
        "SELECT 1 -- FROM users",
        "/* FROM users */ SELECT 1",
        "SELECT o.users FROM orgs o",
    ],
)
def test_a_table_of_another_name_place_or_in_a_comment_is_not_meant(text: str) -> None:
    assert not mentions.names_table(text, USERS)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT name FROM users",
        "SELECT u.name FROM orgs o JOIN users u ON u.org_id = o.id",
        "UPDATE users SET name = 'x'",
        'SELECT "users"."name" FROM users',
    ],
)
def test_a_column_is_found_by_itself_or_behind_its_table(text: str) -> None:
    assert mentions.names_column(text, USERS, "name")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT o.name FROM orgs o JOIN users u ON u.org_id = o.id",
        "SELECT name FROM orgs",
        "SELECT username, name_of(id) FROM users",
        "SELECT name(id) FROM users",
        "SELECT new.name, old.name",
    ],
)
def test_a_column_of_another_table_is_not_meant(text: str) -> None:
    assert not mentions.names_column(text, USERS, "name")


def test_in_the_function_of_a_trigger_new_and_old_are_rows_of_its_table() -> None:
    assert mentions.names_column("BEGIN NEW.name := lower(NEW.name); RETURN NEW; END", USERS, "name", of_row=True)
    assert not mentions.names_column("BEGIN NEW.nick := 'x'; RETURN NEW; END", USERS, "name", of_row=True)


def naming(body: str, then: str = "SELECT 1") -> list[str]:
    """The functions that break without `users`, of one whose body is this."""
    function = FunctionFacts("public", "counted", definition=f"CREATE FUNCTION counted()\n LANGUAGE sql\n{body}\n")
    facts = Facts(180000, {}, functions={"public.counted": (function,)})
    session = Session(facts, server_version=180000, is_transactional=True, statements=statements.parse(then))
    return mentions.functions(USERS, None, session)


def test_a_body_that_is_only_text_breaks_unless_the_input_changes_it() -> None:
    assert naming("AS $function$SELECT count(*) FROM users$function$") == ["public.counted"]
    assert naming("AS $function$SELECT count(*) FROM orgs$function$") == []
    assert naming("AS $f$SELECT count(*) FROM users$f$", "DROP FUNCTION counted()") == []


def test_postgresql_itself_follows_what_a_body_in_plain_sql_names() -> None:
    assert naming("BEGIN ATOMIC\n SELECT count(*) FROM users;\nEND") == []
