"""Every EXECUTE of a text goes through the recorder, and nothing else that is spelled EXECUTE does."""

import pytest

from migrations_app.engines.rehearsal.dynamic import opaque, traced, traced_body


def told(expression):
    return f"tidegate.rehearsed(({expression})::text)"


@pytest.mark.parametrize(
    ("before", "expression", "after"),
    [
        ("BEGIN EXECUTE ", "'a' || b", "; END"),
        ("BEGIN execute ", "format('DROP TABLE %I', t)", " INTO STRICT r USING 1, (2); END"),
        ("BEGIN FOR r IN EXECUTE ", "'x' || (CASE WHEN a THEN 'using' END)", " USING 3 LOOP NULL; END LOOP; END"),
        ("BEGIN RETURN QUERY EXECUTE ", "q", " -- the end\n ; END"),
        ("BEGIN OPEN c NO SCROLL FOR EXECUTE ", "'über'", " USING 1; END"),
        ("BEGIN IF a THEN EXECUTE ", "q[1]", "; END IF; END"),
        ("BEGIN <<here>> EXECUTE ", "concat('a', ';')", "; END"),
        ("BEGIN NULL; EXCEPTION WHEN others THEN EXECUTE ", "'a'", "; END"),
    ],
)
def test_an_execute_is_sent_through_the_recorder(before, expression, after):
    assert traced_body(before + expression + after) == before + told(expression) + after


@pytest.mark.parametrize(
    "body",
    [
        "BEGIN GRANT EXECUTE ON FUNCTION f() TO PUBLIC; END",
        "BEGIN GRANT UPDATE, EXECUTE ON FUNCTION f() TO PUBLIC; END",
        "BEGIN CREATE TRIGGER t AFTER INSERT ON x FOR EACH ROW EXECUTE FUNCTION f(); END",
        "BEGIN /* ; EXECUTE 'a'; */ RAISE NOTICE '; EXECUTE b;'; -- ; EXECUTE c;\n END",
        "BEGIN EXECUTE 'never ends'",
    ],
)
def test_what_only_looks_like_it_stays_as_it_is(body):
    assert traced_body(body) == body


@pytest.mark.parametrize(
    "head",
    [
        "DO {}",
        "DO LANGUAGE plpgsql {}",
        "SELECT 1; CREATE OR REPLACE FUNCTION f(a int) RETURNS int AS {} LANGUAGE 'plpgsql'",
    ],
)
@pytest.mark.parametrize(
    "quoted", ["$$BEGIN EXECUTE 'a'; END$$", "$x$BEGIN EXECUTE 'a'; END$x$", "'BEGIN EXECUTE ''a''; END'"]
)
def test_a_body_is_found_however_it_is_quoted(head, quoted):
    body = "$tidegate_body$BEGIN EXECUTE " + told("'a'") + "; END$tidegate_body$"
    assert traced(head.format(quoted)) == head.format(body)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TRIGGER t AFTER INSERT ON x FOR EACH ROW EXECUTE FUNCTION f()",
        "GRANT EXECUTE ON FUNCTION f() TO PUBLIC",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpython3u AS $$ ; EXECUTE 'a'; $$",
        "DO $$ BEGIN EXECUTE 'unfinished",
        "INSERT INTO function_log VALUES ('DO', '; EXECUTE a;')",
    ],
)
def test_other_statements_stay_as_they_are(sql):
    assert traced(sql) == sql


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("DO LANGUAGE plpython3u $$ plpy.execute('DROP TABLE a') $$", "a block of plpython3u"),
        ("DO E'BEGIN EXECUTE \\'a\\'; END'", "a string with escapes"),
        ("DO $$ BEGIN EXECUTE 'a'; END", "cannot read"),
    ],
)
def test_code_that_no_recorder_can_follow_is_said(sql, says):
    assert says in opaque(sql)


@pytest.mark.parametrize("sql", ["DO $$ BEGIN EXECUTE 'a'; END $$", "SELECT 'DO', E'\\n'", "DROP FUNCTION f(text)"])
def test_other_code_is_not(sql):
    assert opaque(sql) == ""
