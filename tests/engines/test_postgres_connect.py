"""Opening a target: what every session of ours has set, and what people read when there is none."""

import contextlib
import socket
import socketserver
import threading

import psycopg
import pytest

from migrations_app.engines.postgres.address import parse
from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.diagnosis import Unreachable

PASSWORD = "canary-pw"


def refusal(address, **options):
    with pytest.raises(Unreachable) as failure:
        connect(address, application_name="tidegate:test", connect_timeout_s=2, **options)
    assert PASSWORD not in str(failure.value)
    assert failure.value.code == "target_unreachable"
    assert failure.value.__context__ is None, "libpq's own text must not follow in a traceback"
    return failure.value


@contextlib.contextmanager
def role(url, definition):
    """A role of the server, with our canary as its password, and the URL to log in with it."""
    name = parse(url).database + "_role"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} PASSWORD '{PASSWORD}' {definition}")
        try:
            there = parse(url)
            yield f"postgresql://{name}:{PASSWORD}@{there.host}:{there.port}/{there.database}"
        finally:
            admin.execute(f"SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE usename = '{name}'")
            admin.execute(f"DROP ROLE {name}")


@contextlib.contextmanager
def listener(answer):
    """Somebody who listens at 127.0.0.1, declines TLS and answers the start-up message with `answer`, or never."""
    closing = threading.Event()

    class Somebody(socketserver.StreamRequestHandler):
        def handle(self):
            if self.request.recv(1024) and answer is not None:
                self.request.sendall(b"N")
                self.request.recv(1024)
                self.request.sendall(answer)
            else:
                closing.wait()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Somebody) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield f"postgresql://ann:{PASSWORD}@127.0.0.1:{server.server_address[1]}/shop"
        finally:
            closing.set()
            server.shutdown()


def error_response(sqlstate, message):
    body = b"SFATAL\0VFATAL\0C" + sqlstate + b"\0M" + message.encode() + b"\0\0"
    return b"E" + (len(body) + 4).to_bytes(4, "big") + body


def test_every_session_is_named_impatient_and_dies_with_its_client(database_url):
    with connect(database_url, application_name="tidegate:7:1", lock_timeout_ms=1500) as conn:
        names = ("application_name", "lock_timeout", "statement_timeout", "client_connection_check_interval")
        shown = [conn.execute(f"SHOW {name}").fetchone()[0] for name in names]
    assert shown == ["tidegate:7:1", "1500ms", "30s", "1s"]


def test_a_session_in_transaction_mode_keeps_its_limits_after_a_rollback(database_url):
    with connect(database_url, application_name="tidegate:x", lock_timeout_ms=900, autocommit=False) as conn:
        conn.execute("SELECT 1")
        conn.rollback()
        assert conn.execute("SHOW lock_timeout").fetchone() == ("900ms",)


def test_a_primary_may_be_written_to(database_url):
    with connect(database_url, application_name="tidegate:x", read_write=True) as conn:
        conn.execute("CREATE TABLE t ()")


def test_a_port_where_nobody_listens_says_so():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    failure = refusal(f"postgresql://ann:{PASSWORD}@127.0.0.1:{port}/shop")
    assert failure.cause == "refused"
    assert failure.is_retryable
    assert f"nothing listens on 127.0.0.1 port {port}" in failure.detail


def test_an_unknown_host_name_says_so():
    failure = refusal(f"postgresql://ann:{PASSWORD}@no-such-host.invalid/shop")
    assert (failure.cause, failure.is_retryable) == ("unresolved", False)


def test_a_server_that_takes_the_connection_and_stays_silent_times_out():
    with listener(None) as url:
        assert refusal(url).cause == "timeout"


def test_a_host_that_drops_every_packet_times_out():
    with socket.socket() as full, contextlib.ExitStack() as clients:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # a full backlog drops the handshake, as a firewall does
        for _ in range(3):
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        failure = refusal(f"postgresql://ann:{PASSWORD}@127.0.0.1:{full.getsockname()[1]}/shop")
    assert failure.cause == "timeout"
    assert "did not answer in time" in failure.detail


def test_a_wrong_password_is_told_by_its_sqlstate(database_url):
    there = parse(database_url)
    failure = refusal(f"postgresql://{there.user}:{PASSWORD}@{there.host}:{there.port}/{there.database}")
    assert failure.cause == "password"
    assert "28P01" in failure.detail


def test_a_missing_password_is_not_taken_from_the_environment(database_url, monkeypatch):
    there = parse(database_url)
    monkeypatch.setenv("PGPASSWORD", there.password)
    failure = refusal(f"postgresql://{there.user}@{there.host}:{there.port}/{there.database}")
    assert "the URL has none" in failure.detail


def test_a_missing_database_is_named(database_url):
    failure = refusal(database_url + "_gone")
    assert failure.cause == "no_database"
    assert parse(database_url).database + "_gone" in failure.detail


def test_a_role_without_login_says_so(database_url):
    with role(database_url, "NOLOGIN") as url:
        assert refusal(url).cause == "no_login"


def test_a_role_that_may_not_enter_this_database_says_so(database_url):
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"REVOKE CONNECT ON DATABASE {parse(database_url).database} FROM PUBLIC")
    with role(database_url, "LOGIN") as url:
        assert refusal(url).cause == "no_connect"


def test_a_role_at_its_connection_limit_says_so_and_may_be_retried(database_url):
    with role(database_url, "LOGIN CONNECTION LIMIT 1") as url, connect(url, application_name="tidegate:first"):
        failure = refusal(url)
        assert failure.cause == "too_many_connections"
        assert failure.is_retryable


def test_a_server_that_is_starting_is_told_by_sqlstate_whatever_language_it_speaks():
    with listener(error_response(b"57P03", "das Datenbanksystem startet")) as url:
        failure = refusal(url)
    assert failure.cause == "starting"
    assert failure.is_retryable


def test_an_unexpected_refusal_shows_its_sqlstate_and_not_its_text():
    with listener(error_response(b"XX000", f"secret is {PASSWORD}")) as url:
        failure = refusal(url)
    assert failure.cause == "refused_by_server"
    assert "XX000" in failure.detail


def test_somebody_who_is_not_postgresql_is_a_failed_handshake():
    with listener(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url:
        assert refusal(url).cause == "handshake"


def test_a_server_without_tls_is_a_failed_handshake_when_tls_is_required():
    with listener(b"") as url:
        assert refusal(url + "?sslmode=require").cause == "handshake"


@pytest.mark.targets
def test_a_standby_is_refused_where_writes_are_wanted_and_read_otherwise(replica_url):
    with connect(replica_url, application_name="tidegate:x") as conn:
        assert conn.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
    assert refusal(replica_url, read_write=True).cause == "standby"


def test_a_database_set_read_only_is_refused_where_writes_are_wanted(database_url):
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {parse(database_url).database} SET default_transaction_read_only = on")
    assert refusal(database_url, read_write=True).cause == "read_only"
