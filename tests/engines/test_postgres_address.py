"""What a connection URL may hold, and that its password stays inside."""

import psycopg.conninfo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrations_app.engines.postgres.address import Address, parse
from migrations_app.errors import Invalid


def test_a_usual_url_is_taken_apart():
    assert parse("postgresql://ann:s3cret@db.example:5433/shop") == Address("db.example", 5433, "shop", "ann", "s3cret")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+asyncpg", "POSTGRES"])
def test_every_scheme_that_applications_use_is_accepted(scheme):
    assert parse(f"{scheme}://ann@db/shop") == Address("db", 5432, "shop", "ann")


def test_percent_escapes_are_decoded_once_in_every_part():
    address = parse("postgresql://a%40b:p%2525%3A%2F+@[::1]:1/my%20db%2F1")
    assert (address.user, address.password) == ("a@b", "p%25:/+")
    assert (address.host, address.database) == ("::1", "my db/1")


def test_tls_options_stay_and_what_tidegate_decides_itself_is_dropped():
    address = parse("postgresql://a@db/x?sslmode=verify-full&application_name=web&connect_timeout=9&sslrootcert=system")
    assert address.options == (("sslmode", "verify-full"), ("sslrootcert", "system"))


@pytest.mark.parametrize("form", [str, repr, lambda address: address.url(), lambda address: address.redacted])
def test_no_text_form_shows_the_password(form):
    assert "s3cret" not in form(parse("postgresql://ann:s3cret@db/shop"))


def test_the_password_is_in_the_url_when_asked_for_by_name():
    address = parse("postgresql://ann:s3%40cret@db/shop?sslmode=require")
    assert (
        address.url("psycopg", with_password=True) == "postgresql+psycopg://ann:s3%40cret@db:5432/shop?sslmode=require"
    )


REFUSED = {
    "mysql://canary@db/x": "postgresql://",
    "host=db password=canary": "postgresql://",
    "": "postgresql://",
    "postgresql://ann:canary@db": "no database",
    "postgresql://ann:canary@db/": "no database",
    "postgresql://ann:canary@/shop": "no host",
    "postgresql:///shop": "no host",
    "postgresql://db/shop": "no user",
    "postgresql://ann:canary@a,b/shop": "list of hosts",
    "postgresql://ann:canary@a:1,b:2/shop": "list of hosts",
    "postgresql://ann:canary@a%2Cb/shop": "host lists",
    "postgresql://ann:canary@%2Fvar%2Frun/shop": "sockets",
    "postgresql://ann:canary@db:0/shop": "port",
    "postgresql://ann:canary@db:99999/shop": "port",
    "postgresql://ann:canary@db:x/shop": "port",
    "postgresql://ann:canary@[::1/shop": "brackets",
    "postgresql://ann:can#ary@db/shop": "%23",
    "postgresql://ann:can%ary@db/shop": "%25",
    "postgresql://ann:can%ffary@db/shop": "UTF-8",
    "postgresql://ann:can%00ary@db/shop": "control",
    "postgresql://ann:canary@db/shop\n": "control",
    "postgresql://ann:canary@db/sh\0op": "control",
    "postgresql://ann:canary@db/shop?host=/var/run": "host",
    "postgresql://ann:canary@db/shop?hostaddr=1.2.3.4": "hostaddr",
    "postgresql://ann:canary@db/shop?service=prod": "service",
    "postgresql://ann:canary@db/shop?passfile=/etc/passwd": "passfile",
    "postgresql://ann:canary@db/shop?sslkey=/etc/key": "sslkey",
    "postgresql://ann:canary@db/shop?sslcert=/etc/cert": "sslcert",
    "postgresql://ann:canary@db/shop?options=-crole%3Droot": "options",
    "postgresql://ann:canary@db/shop?ssl%6Bey=/etc/key": "sslkey",
    "postgresql://ann@db/shop?can ary=1": "with that name",
}


@pytest.mark.parametrize(("url", "because"), REFUSED.items(), ids=range(len(REFUSED)))
def test_a_url_that_is_not_one_tcp_database_is_refused_in_words(url, because):
    with pytest.raises(Invalid, match=because) as refusal:
        parse(url)
    assert refusal.value.errors[0].pointer == "/url"
    assert "canary" not in str(refusal.value)
    assert "can" not in str(refusal.value).split()


plain = st.text(st.characters(min_codepoint=33, exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(user=plain, password=plain, database=plain)
def test_any_name_and_password_survives_the_round_trip_and_libpq_reads_the_same(user, password, database):
    address = Address("db", 5432, database, user, password)
    url = address.url(with_password=True)
    assert parse(url) == address
    assert psycopg.conninfo.conninfo_to_dict(url) == {
        "user": user, "password": password, "host": "db", "port": "5432", "dbname": database
    }  # fmt: skip
