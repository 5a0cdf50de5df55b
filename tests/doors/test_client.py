"""The pipeline client against a stub that speaks the contract: what it sends, what it says, how it exits."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

CLIENT = Path(__file__).parents[2] / "clients" / "tidegate.py"
TOKEN = "tdg_7.0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
Reply = tuple[int, Any] | tuple[int, Any, dict[str, str]]


class Stub(ThreadingHTTPServer):
    """Answers each "METHOD path" from its replies (the last one again and again); remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: dict[str, list[Reply]] = {}
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def on(self, request: str, *replies: Reply) -> None:
        self.replies[request] = list(replies)

    def bodies(self, request: str) -> list[Any]:
        return [body for name, _, body in self.asked if name == request]

    def keys(self, request: str) -> list[str | None]:
        return [headers.get("Idempotency-Key") for name, headers, _ in self.asked if name == request]


class Handler(BaseHTTPRequestHandler):
    server: Stub

    def do_GET(self) -> None:
        name = f"{self.command} {self.path.split('?')[0].removeprefix('/api/v1/')}"
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((name, {**self.headers, "path": self.path}, json.loads(body or b"null")))
        replies = self.server.replies.get(name) or [problem(404, "not_found")]
        status, answer, *headers = replies.pop(0) if len(replies) > 1 else replies[0]
        data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(status)
        for header, value in {"Content-Length": str(len(data)), **(headers[0] if headers else {})}.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Quiet: the tests read stderr."""


def problem(status: int, code: str, detail: str = "", **more: Any) -> Reply:
    return status, {"title": "Refused here", "status": status, "code": code, "detail": detail, **more}


def rollout(status: str, **more: Any) -> Reply:
    url = "https://tidegate.example/rollouts/7"
    return 200, {"id": "7", "status": status, "reason": "", "digest": "d1", "approval_url": url, "steps": [], **more}


@pytest.fixture
def stub() -> Iterator[Stub]:
    server = Stub()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


Client = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def client(stub: Stub) -> Client:
    def run(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
        given = {"PATH": os.environ["PATH"], "TIDEGATE_URL": stub.url, "TIDEGATE_TOKEN": TOKEN, **env}
        command = [sys.executable, str(CLIENT), *args, "--retry-for", "3"]
        return subprocess.run(command, env=given, capture_output=True, text=True, timeout=30, check=False)

    return run


SUBMIT = ("submit", "--project", "shop", "--target", "shop-production", "--reason", "release 42")


def test_zero_when_the_rollout_succeeded(stub: Stub, client: Client) -> None:
    stub.on("GET rollouts/7/", rollout("running"), rollout("succeeded"))
    done = client("wait", "7", "-o", "json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["status"] == "succeeded"


def test_one_when_it_failed_on_the_target(stub: Stub, client: Client) -> None:
    stub.on("GET rollouts/7/", rollout("failed", reason="lock timeout on orders"))
    done = client("wait", "7")
    assert done.returncode == 1
    assert "lock timeout on orders" in done.stderr


def test_two_when_a_person_has_to_decide_and_the_place_is_told(stub: Stub, client: Client) -> None:
    stub.on("POST rollouts/", rollout("planning"))
    stub.on("GET rollouts/7/", rollout("planning"), rollout("awaiting_approval"))
    done = client(*SUBMIT)
    assert done.returncode == 2
    assert "https://tidegate.example/rollouts/7" in done.stderr


def test_two_when_waiting_ended_before_the_decision(stub: Stub, client: Client) -> None:
    stub.on("GET rollouts/7/", rollout("awaiting_approval"))
    assert client("wait", "7", "--timeout", "0").returncode == 2


def test_two_when_changes_are_pending_and_the_detail_is_wanted(stub: Stub, client: Client) -> None:
    stub.on("GET targets/shop/pending/", (200, {"results": [{"revision": "0012", "level": "high"}], "next": None}))
    assert client("pending", "shop").returncode == 0
    assert client("pending", "shop", "--detailed-exitcode").returncode == 2


@pytest.mark.parametrize("status", ["rejected", "cancelled"])
def test_three_when_people_decided_against_it(stub: Stub, client: Client, status: str) -> None:
    stub.on("GET rollouts/7/", rollout(status))
    assert client("status", "7").returncode == 3


def test_three_when_the_approval_expired(stub: Stub, client: Client) -> None:
    stub.on("POST rollouts/7/start/", problem(409, "expired"))
    assert client("start", "7").returncode == 3


def test_four_when_a_field_is_wrong_and_the_field_is_named(stub: Stub, client: Client) -> None:
    wrong = {"pointer": "/to", "detail": "no such revision"}
    stub.on("POST rollouts/", problem(400, "invalid", "look again", errors=[wrong], request_id="req-9"))
    done = client(*SUBMIT)
    assert done.returncode == 4
    assert all(text in done.stderr for text in ("Refused here", "look again", "/to: no such revision", "req-9"))


@pytest.mark.parametrize("args", [(), ("fly",), ("submit",), ("submit", "--reason", "no place")])
def test_four_when_used_wrongly(client: Client, args: tuple[str, ...]) -> None:
    assert client(*args).returncode == 4


@pytest.mark.parametrize(("status", "code"), [(401, "unauthenticated"), (403, "machine"), (403, "self_approval")])
def test_five_when_the_caller_may_not(stub: Stub, client: Client, status: int, code: str) -> None:
    stub.on("POST rollouts/7/approve/", problem(status, code))
    assert client("approve", "7", "--digest", "d1", "--comment", "read it").returncode == 5


def test_five_without_a_token(client: Client) -> None:
    assert client("targets", TIDEGATE_TOKEN="").returncode == 5


@pytest.mark.parametrize("code", ["stale", "illegal_transition"])
def test_six_on_a_conflict(stub: Stub, client: Client, code: str) -> None:
    stub.on("POST rollouts/7/start/", problem(409, code))
    assert client("start", "7").returncode == 6


def test_six_when_the_plan_went_stale(stub: Stub, client: Client) -> None:
    stub.on("GET rollouts/7/", rollout("stale", reason="the schema of orders changed"))
    assert client("wait", "7").returncode == 6


def test_seven_when_the_time_is_over_and_how_to_go_on_is_told(stub: Stub, client: Client) -> None:
    stub.on("GET rollouts/7/", rollout("running"))
    done = client("wait", "7", "--timeout", "0")
    assert done.returncode == 7
    assert "tidegate.py wait 7" in done.stderr


def test_eight_when_nobody_answers(stub: Stub, client: Client) -> None:
    with_no_one = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=True)
    with_no_one.server_close()
    done = client(*SUBMIT, "--key", "job-1", TIDEGATE_URL=f"http://127.0.0.1:{with_no_one.server_address[1]}")
    assert done.returncode == 8
    assert "--key job-1" in done.stderr


def test_a_repeated_request_keeps_its_key(stub: Stub, client: Client) -> None:
    stub.on("POST rollouts/", (503, "busy"), (429, "slow", {"Retry-After": "0"}), rollout("approved"))
    stub.on("GET rollouts/7/", rollout("approved"))
    assert client(*SUBMIT).returncode == 0
    keys = stub.keys("POST rollouts/")
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert len(keys[0] or "") >= 32


def test_a_repeated_job_is_told_how_it_stands_now(stub: Stub, client: Client) -> None:
    stub.on("POST rollouts/", (*rollout("awaiting_approval"), {"Idempotency-Replayed": "true"}))
    stub.on("GET rollouts/7/", rollout("succeeded"))
    done = client(*SUBMIT, "--key", "job-1")
    assert done.returncode == 0
    assert "had been made before" in done.stderr
    assert stub.keys("POST rollouts/") == ["job-1"]


def test_the_same_key_still_at_work_is_waited_for(stub: Stub, client: Client) -> None:
    stub.on("POST rollouts/", (*problem(409, "in_progress"), {"Retry-After": "0"}), rollout("approved"))
    stub.on("GET rollouts/7/", rollout("approved"))
    assert client(*SUBMIT).returncode == 0


def test_what_is_submitted(stub: Stub, client: Client) -> None:
    stub.on("POST rollouts/", rollout("approved"))
    client("submit", "--project", "shop", "--environment", "prod", "--label", "eu=1", "--to", "+2", "--reason", "why")
    assert stub.bodies("POST rollouts/") == [
        {"project": "shop", "selector": {"environment": "prod", "labels": {"eu": "1"}}, "to": "+2", "reason": "why"}
    ]


def test_an_approved_rollout_is_started_once_and_followed(stub: Stub, client: Client) -> None:
    stub.on("POST rollouts/", rollout("approved"))
    stub.on("POST rollouts/7/start/", rollout("running"))
    stub.on("GET rollouts/7/", rollout("approved"), rollout("succeeded"))
    assert client(*SUBMIT, "--start", "--wait").returncode == 0
    assert len(stub.bodies("POST rollouts/7/start/")) == 1


def test_waiting_asks_the_server_to_wait(stub: Stub, client: Client) -> None:
    stub.on("GET rollouts/7/", (*rollout("running"), {"ETag": '"1"'}), (304, ""), rollout("succeeded"))
    assert client("wait", "7").returncode == 0
    _, first, second = [headers for _, headers, _ in stub.asked]
    assert first["path"].endswith("?wait=30")
    assert second["If-None-Match"] == '"1"'


def test_a_backfill_is_followed_too(stub: Stub, client: Client) -> None:
    stub.on("POST backfills/3/start/", (200, {"id": "3", "status": "running"}))
    throttled = (200, {"id": "3", "status": "running", "reason": "throttled: replica r2"})
    stub.on("GET backfills/3/", throttled, (200, {"id": "3", "status": "verified"}))
    done = client("backfill", "start", "3", "--wait")
    assert done.returncode == 0
    assert "throttled: replica r2" in done.stderr


def test_a_decision_carries_the_digest_that_was_read(stub: Stub, client: Client) -> None:
    stub.on("POST rollouts/7/reject/", rollout("rejected"))
    assert client("reject", "7", "--digest", "d1", "--comment", "not on a Friday").returncode == 0
    assert stub.bodies("POST rollouts/7/reject/") == [{"digest": "d1", "comment": "not on a Friday"}]


def test_a_broken_audit_chain_fails(stub: Stub, client: Client) -> None:
    stub.on("POST audit/verify/", (200, {"ok": False, "checked": 9, "first_bad": 5}))
    done = client("audit", "verify")
    assert done.returncode == 1
    assert "first_bad       5" in done.stdout


def test_a_plan_names_where_the_target_stands(stub: Stub, client: Client) -> None:
    stub.on("GET targets/shop-production/", (200, {"project": "shop", "current": ["0010"]}))
    stub.on("POST analyses/", (200, {"dangerous": True, "level": "high", "statements": [{"index": 0, "kind": "drop"}]}))
    assert client("plan", "shop-production", "--detailed-exitcode").returncode == 2
    assert stub.bodies("POST analyses/") == [{"project": "shop", "target": "shop-production", "from": "0010"}]


def test_a_list_is_read_to_its_end_and_only_from_this_server(stub: Stub, client: Client) -> None:
    elsewhere = "http://elsewhere.invalid/api/v1/targets/?cursor=c2"
    stub.on("GET targets/", (200, {"results": [{"slug": "a"}], "next": elsewhere}), (200, {"results": [{"slug": "b"}]}))
    assert [row["slug"] for row in json.loads(client("targets", "-o", "json").stdout)] == ["a", "b"]
    assert stub.asked[1][1]["path"].endswith("targets/?cursor=c2")


def test_a_redirect_does_not_take_the_token_along(stub: Stub, client: Client) -> None:
    stub.on("GET targets/", (302, "", {"Location": f"{stub.url}/api/v1/stolen/"}))
    stub.on("GET stolen/", (200, {"results": []}))
    done = client("targets")
    assert done.returncode == 4
    assert len(stub.asked) == 1
    assert "set TIDEGATE_URL" in done.stderr


def test_a_token_is_taken_from_the_environment_or_a_file_only(stub: Stub, client: Client, tmp_path: Path) -> None:
    stub.on("GET targets/", (200, {"results": []}))
    (tmp_path / "token").write_text(TOKEN + "\n")
    assert client("targets", "--token-file", str(tmp_path / "token"), TIDEGATE_TOKEN="").returncode == 0
    assert stub.asked[0][1]["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("args", [("--token", TOKEN), (f"--token={TOKEN}",)])
def test_a_token_in_the_arguments_is_refused_and_not_repeated(client: Client, args: tuple[str, ...]) -> None:
    done = client("targets", *args)
    assert done.returncode == 4
    assert TOKEN not in done.stdout + done.stderr


def test_a_server_that_echoes_the_token_does_not_get_it_printed(stub: Stub, client: Client) -> None:
    stub.on("GET targets/", problem(401, "unauthenticated", f"no such token: {TOKEN}"))
    assert TOKEN not in client("targets").stderr
    stub.on("GET targets/", (200, {"results": [{"slug": TOKEN}]}))
    assert TOKEN not in client("targets").stdout


def test_what_a_server_sends_cannot_steer_the_terminal(stub: Stub, client: Client) -> None:
    stub.on("GET targets/", (200, {"results": [{"slug": "\x1b[2Jgone"}]}))
    assert "\x1b" not in client("targets").stdout


def test_the_client_is_python_3_8_and_imports_the_standard_library_only() -> None:
    tree = ast.parse(CLIENT.read_text(), feature_version=(3, 8))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in imports for alias in node.names if isinstance(node, ast.Import)}
    names |= {node.module or "" for node in imports if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= set(sys.stdlib_module_names)
