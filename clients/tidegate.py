#!/usr/bin/env python3
"""The pipeline client of Tidegate: one file, Python 3.8 or newer, nothing but the standard library.

TIDEGATE_URL says where Tidegate is (https://tidegate.example); TIDEGATE_TOKEN, or a file named by --token-file, who
calls. The token is never an argument: every user of the machine can read those. stdout is data, stderr is talk.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
import uuid
from http.client import HTTPException
from pathlib import Path
from typing import Any, NoReturn
from urllib.error import HTTPError
from urllib.parse import parse_qs, quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

DONE, FAILED, WAITING, REJECTED, USAGE, AUTH, STALE, TIMED_OUT, UNREACHABLE = range(9)
EXIT_CODES = """exit codes: 0 done; 1 failed on the target; 2 waiting for approval, or (--detailed-exitcode) changes
pending; 3 rejected, cancelled or expired; 4 wrong usage, or no such thing; 5 not authenticated, or not allowed;
6 conflict, or a stale plan; 7 timed out while waiting (stderr says how to go on); 8 the server cannot be reached"""
ENDS = {"succeeded": DONE, "verified": DONE, "failed": FAILED, "stale": STALE}
ENDS.update(cancelled=REJECTED, rejected=REJECTED)
REFUSALS = {401: AUTH, 403: AUTH, 409: STALE, 412: STALE, 428: STALE}  # any other refusal is wrong usage
CODES = {"target_unreachable": FAILED, "expired": REJECTED, "rejected": REJECTED}
POLL_S = 30  # what one ?wait= asks for; the server answers at once when the status changes
SILENCE_S = 75  # an answer that takes longer than this will not come

Json = Any  # what json.loads gives; what is inside is the server's contract


class Stop(Exception):
    """The end of the program: an exit code, and what to tell the person."""

    def __init__(self, code: int, *lines: str) -> None:
        super().__init__(*lines)
        self.code, self.lines = code, lines


class NoRedirect(HTTPRedirectHandler):
    """urllib would carry the token along to wherever it is sent: here a redirect is an answer like any other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Server:
    """Tidegate's REST API. A request that may have been lost is repeated, always under its first Idempotency-Key."""

    def __init__(self, url: str, token: str, key: str, retry_for_s: float) -> None:
        self.base, self.token, self.key, self.retry_for_s = url.rstrip("/") + "/api/v1/", token, key, retry_for_s
        self.host = urlsplit(url).netloc.rpartition("@")[2]
        self.opener = build_opener(NoRedirect)
        self.etags: dict[str, tuple[str, Json]] = {}

    def get(self, path: str, **query: Any) -> Json:
        given = {name: value for name, value in query.items() if value is not None}
        return self.call("GET", path, query="?" + urlencode(given) if given else "")

    def post(self, path: str, body: Json = None) -> Json:
        return self.call("POST", path, body=body or {})

    def rows(self, path: str, **query: Any) -> list[Json]:
        """A whole list. Of `next` only the cursor is used: no answer can send the token to another host."""
        rows: list[Json] = []
        while True:
            answer = self.get(path, **query)
            if not isinstance(answer, dict):
                return rows + list(answer or ())
            rows += answer.get("results", ())
            cursor = parse_qs(urlsplit(answer.get("next") or "").query).get("cursor")
            if not cursor:
                return rows
            query["cursor"] = cursor[0]

    def call(self, method: str, path: str, *, query: str = "", body: Json = None) -> Json:
        deadline, pause_s = time.monotonic() + self.retry_for_s, 0.5
        while True:
            answer, why, asked_s = self.attempt(method, path, query, body)
            if not why:
                return answer
            wait_s = asked_s if asked_s is not None else pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - only jitter
            if time.monotonic() + wait_s > deadline:
                repeat = [] if method == "GET" else [f"It may have arrived. Repeat safely with: --key {self.key}"]
                raise Stop(UNREACHABLE, why, *repeat)
            talk(f"{why}; trying again in {wait_s:.1f} s")
            time.sleep(wait_s)
            pause_s = min(pause_s * 2, 8.0)

    def attempt(self, method: str, path: str, query: str, body: Json) -> tuple[Json, str, float | None]:
        """One request: (answer, "", None), or (None, why it is worth repeating, the seconds the server asked for)."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json, application/problem+json"}
        data = None if method == "GET" else json.dumps(body).encode()
        if data is not None:
            headers.update({"Content-Type": "application/json", "Idempotency-Key": self.key})
        elif path in self.etags:  # a change between two waits is then answered at once, not after the second wait
            headers["If-None-Match"] = self.etags[path][0]
        request = Request(self.base + path + query, data, headers, method=method)  # noqa: S310 - connect() saw its scheme
        try:
            with self.opener.open(request, timeout=SILENCE_S) as response:
                answer = json.loads(response.read() or b"null")
                if response.headers.get("ETag"):
                    self.etags[path] = response.headers["ETag"], answer
                if response.headers.get("Idempotency-Replayed") == "true":
                    talk("This request had been made before: here is its first answer.")
                return answer, "", None
        except HTTPError as error:
            if error.code == 304:
                return self.etags[path][1], "", None
            asked = error.headers.get("Retry-After", "")
            asked_s = float(asked) if asked.isdigit() else None
            # 409 with Retry-After: the same key is still at work. Without: a conflict that no waiting mends.
            if error.code >= 500 or error.code == 429 or (error.code == 409 and asked_s is not None):
                return None, f"{self.host} answers {error.code}", asked_s
            refuse(error.code, error.read(), error.headers.get("Location"))
        except (OSError, HTTPException) as error:
            return None, f"{self.host} cannot be reached ({getattr(error, 'reason', error)})", None
        except ValueError:
            raise Stop(UNREACHABLE, f"{self.host} did not answer in JSON: is TIDEGATE_URL right?") from None


def refuse(status: int, body: bytes, location: str | None) -> NoReturn:
    """A refusal in the words of the server (problem+json), with the request id that its operators will ask for."""
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    problem = problem if isinstance(problem, dict) else {}
    lines = [f"{problem.get('title') or 'Refused'} ({status})"]
    lines += [f"It redirects to {location}: set TIDEGATE_URL to where it really is."] if location else []
    if problem.get("detail") not in (None, problem.get("title")):
        lines.append(str(problem["detail"]))
    lines += [f"  {wrong.get('pointer') or '/'}: {wrong.get('detail')}" for wrong in problem.get("errors") or ()]
    lines += [f"Request id: {problem['request_id']}"] if problem.get("request_id") else []
    raise Stop(CODES.get(str(problem.get("code")), REFUSALS.get(status, USAGE)), *lines)


def follow(server: Server, args: argparse.Namespace, name: str, until: frozenset[str] = frozenset(ENDS)) -> Json:
    """Wait until a rollout or backfill has a status in `until`; with --start, start it once it is approved."""
    path, deadline, told, start = at(args.kind, name), time.monotonic() + args.timeout, "", args.start
    thing = server.get(path)  # what a POST answered may be old: a repeated key gets its first answer again
    while thing["status"] not in until:
        told = tell(args.kind, thing, told)
        if thing["status"] == "approved" and start:
            thing, start = server.post(path + "start/"), False
            continue
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise Stop(
                WAITING if thing["status"] == "awaiting_approval" else TIMED_OUT,
                f"Still {thing['status']} after {args.timeout:g} s. Only the waiting has ended, nothing was stopped.",
                f"Go on with: {args.again} {thing['id']} --timeout {args.timeout:g}{' --start' if start else ''}",
            )
        asked_at, before = time.monotonic(), thing["status"]
        thing = server.get(path, wait=min(POLL_S, int(left_s) + 1))
        if thing["status"] == before and time.monotonic() - asked_at < 1:
            time.sleep(min(1.0, left_s))  # the server did not wait for us: be no burden to it
    tell(args.kind, thing, told)
    return thing


def tell(kind: str, thing: Json, told: str = "") -> str:
    """Say on stderr how it stands, unless that was the last thing said. Returns what was said."""
    line = f"{kind[:-1]} {thing['id']}: {thing['status']}" + (f" ({thing['reason']})" if thing.get("reason") else "")
    if line != told:
        talk(line)
        if thing["status"] == "awaiting_approval" and thing.get("approval_url"):
            talk(f"To be decided at {thing['approval_url']}")
    return line


# A command returns its exit code and its data.


def targets(server: Server, args: argparse.Namespace) -> tuple[int, Json]:
    return DONE, server.rows("targets/", project=args.project, environment=args.environment)


def pending(server: Server, args: argparse.Namespace) -> tuple[int, Json]:
    found = server.rows(at("targets", args.name) + "pending/")
    return (WAITING if found and args.detailed_exitcode else DONE), found


def plan(server: Server, args: argparse.Namespace) -> tuple[int, Json]:
    """The saved plan of a rollout, or an analysis of what is pending on one target: nothing is submitted."""
    if args.rollout:
        return DONE, server.get(at("rollouts", args.name) + "plan/")
    target = server.get(at("targets", args.name))
    here = {"from": ",".join(target["current"])} if target["current"] else {}  # else from the very beginning
    there = {"to": args.to} if args.to != "head" else {}
    found = server.post("analyses/", {"project": target["project"], "target": args.name, **here, **there})
    return (WAITING if found["statements"] and args.detailed_exitcode else DONE), found


def submit(server: Server, args: argparse.Namespace) -> tuple[int, Json]:
    if bool(args.target) == bool(args.environment):
        raise Stop(USAGE, "Say where to: either --target (several times if need be), or --environment with --label")
    where: Json = {"targets": args.target}
    if args.environment:
        labels = dict(label.partition("=")[::2] for label in args.label)
        where = {"selector": {"environment": args.environment, "labels": labels}}
    limits = {name: getattr(args, name) for name in ("failure_budget", "soak_s", "not_before")}
    body = {"project": args.project, "to": args.to, "reason": args.reason, **where, **limits}
    rollout = server.post("rollouts/", {name: value for name, value in body.items() if value is not None})
    talk(f"Submitted as rollout {rollout['id']} (key {server.key})")
    # Whether it needs a person is known once it is planned, and that is what the exit code of `submit` tells.
    decided = frozenset(ENDS) if args.wait else frozenset(ENDS) | {"awaiting_approval", "scheduled", "running"}
    rollout = follow(server, args, rollout["id"], decided if args.start or args.wait else decided | {"approved"})
    return outcome(rollout), rollout


def one(server: Server, args: argparse.Namespace) -> tuple[int, Json]:
    """status, wait, and the moves and decisions (one POST each), whose outcome counts only with --wait."""
    path, given = at(args.kind, args.id), vars(args)
    # A decision is for a digest: the server refuses when what was read is no longer what would run.
    body = {name: given[name] for name in ("digest", "comment", "confirm") if given.get(name) is not None}
    if args.verb not in ("status", "wait"):
        thing = server.post(path + args.verb + "/", body)
        if not args.wait:
            tell(args.kind, thing)
            return DONE, thing
    thing = follow(server, args, args.id) if args.wait else server.get(path)
    return outcome(thing), thing


def verify_audit(server: Server, _: argparse.Namespace) -> tuple[int, Json]:
    proof = server.post("audit/verify/")
    return (DONE if proof["ok"] else FAILED), proof


def outcome(thing: Json) -> int:
    """The exit code that a status stands for; one that is still on its way is no failure."""
    return WAITING if thing["status"] == "awaiting_approval" else ENDS.get(thing["status"], DONE)


def at(kind: str, name: str) -> str:
    return f"{kind}/{quote(name, safe='')}/"


SECRETS: list[str] = []


def clean(text: str) -> str:
    """No token, and no control character: what a server sends must not steer the terminal that shows it."""
    for secret in SECRETS:
        text = text.replace(secret, "[token]")
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def talk(line: str) -> None:
    print(clean(line), file=sys.stderr, flush=True)


def show(data: Json, form: str) -> None:
    if form == "json":
        print(clean(json.dumps(data, indent=2)))
    elif isinstance(data, list):
        table(data)
    else:
        for name, value in data.items():
            if name not in ("targets", "statements", "steps", "links"):
                print(clean(f"{name:<16}{cell(value)}"))
        table(data.get("targets") or data.get("statements") or data.get("steps") or [])


def table(rows: list[Json]) -> None:
    """One line a row, of what fits on a line: lists of findings and the like are for -o json."""
    names = [name for name, value in rows[0].items() if not isinstance(value, (dict, list))] if rows else []
    lines = [names, *([cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(names))]
    for line in lines if rows else ():
        print(clean("  ".join(text.ljust(widths[i]) for i, text in enumerate(line)).rstrip()))


def cell(value: Json) -> str:
    return " ".join(value.split()) if isinstance(value, str) else "-" if value is None else json.dumps(value)


FLAG: dict[str, Any] = {"action": "store_true"}
OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "id": ("id of the rollout or backfill", {}),
    "name": ("slug of the target; with --rollout, id of a rollout", {}),
    "--rollout": ("show the saved plan of a rollout", FLAG),
    "--project": ("slug of the project", {}),
    "--environment": ("targets of this environment", {}),
    "--label": ("only those with this label, NAME=VALUE", {"action": "append", "default": []}),
    "--target": ("slug of a target; may be repeated", {"action": "append"}),
    "--to": ("head, a revision, +n or -n (default: head)", {"default": "head"}),
    "--reason": ("why; approvers read it", {"required": True}),
    "--failure-budget": ("how many targets may fail before the rollout stops", {"type": int}),
    "--soak-s": ("seconds between waves", {"type": int}),
    "--not-before": ("earliest start, ISO 8601 with offset", {}),
    "--start": ("start it as soon as it is approved", FLAG),
    "--wait": ("follow it to its end", FLAG),
    "--timeout": ("seconds to wait (default: 1800)", {"type": float, "default": 1800.0}),
    "--digest": ("digest of the plan that you have read", {"required": True}),
    "--comment": ("kept with the decision", {"required": True}),
    "--confirm": ("name of the target, where the policy asks for it", {}),
    "--detailed-exitcode": ("exit with 2 when changes are pending", FLAG),
    "-o": ("what stdout gets (default: table)", {"dest": "output", "choices": ("table", "json")}),
    "--token-file": ("read the token from this file instead of TIDEGATE_TOKEN", {"metavar": "FILE"}),
    "--key": ("Idempotency-Key: the same one again repeats a command that may have arrived", {}),
    "--retry-for": ("seconds to repeat requests that got lost (default: 60)", {"type": float, "metavar": "S"}),
}


def add_options(parser: argparse.ArgumentParser, names: str) -> None:
    for name in names.split():
        text, rest = OPTIONS[name]
        parser.add_argument(name, help=text, **rest)


class Parser(argparse.ArgumentParser):
    """Wrong usage exits with 4, and a token that was given as an argument is not repeated on the screen."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> NoReturn:
        if any(word.split("=")[0] == "--token" for word in sys.argv[1:]):
            message = "a token is never an argument: put it into TIDEGATE_TOKEN, or into a file for --token-file"
        self.exit(USAGE, clean(f"{self.prog}: {message}\nSee {self.prog} --help\n"))


def parser() -> Parser:
    common = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    add_options(common, "-o --token-file --key --retry-for")
    top = Parser(description=__doc__, epilog=EXIT_CODES, parents=[common])
    commands = top.add_subparsers(metavar="command", required=True)

    def add(where: Any, name: str, run: Any, text: str, options: str = "", kind: str = "rollouts") -> None:
        command = where.add_parser(name, parents=[common], help=text, description=text)
        add_options(command, options)
        again = f"{top.prog} {'backfill ' if kind == 'backfills' else ''}wait"
        fixed = {"run": run, "verb": name, "kind": kind, "again": again, "start": False}
        command.set_defaults(**fixed, **({} if "--wait" in options else {"wait": name == "wait"}))

    add(commands, "targets", targets, "the targets, and where each stands", "--project --environment")
    add(commands, "pending", pending, "revisions that a target has not run", "name --detailed-exitcode")
    add(commands, "plan", plan, "what would run, and its risks", "name --rollout --to --detailed-exitcode")
    places = "--project --target --environment --label --to --reason --failure-budget --soak-s --not-before"
    add(commands, "submit", submit, "ask for a rollout", places + " --start --wait --timeout")
    for verb in ("approve", "reject"):
        add(commands, verb, one, f"{verb} a plan (people only)", "id --digest --comment --confirm")
    add(commands, "retry", one, "try again what failed", "id --wait --timeout")
    backfill = commands.add_parser("backfill", help="the same, for a backfill")
    below = backfill.add_subparsers(metavar="verb", required=True)
    for where, kind in ((commands, "rollouts"), (below, "backfills")):
        add(where, "status", one, f"show one of the {kind}; the exit code is its status", "id", kind)
        add(where, "wait", one, f"follow one of the {kind} to its end", "id --start --timeout", kind)
        for verb in ("start", "pause", "resume", "cancel"):
            add(where, verb, one, f"{verb} one of the {kind}", "id --wait --timeout", kind)
    audit = commands.add_parser("audit", help="the audit chain").add_subparsers(metavar="verb", required=True)
    add(audit, "verify", verify_audit, "prove that no entry was changed or lost")
    return top


def connect(args: argparse.Namespace) -> Server:
    """The server from the environment; refuses what would put the token at risk."""
    url, token, path = os.environ.get("TIDEGATE_URL", ""), os.environ.get("TIDEGATE_TOKEN", "").strip(), args.token_file
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise Stop(USAGE, "Set TIDEGATE_URL to where Tidegate is, such as https://tidegate.example")
    if path:
        try:
            token = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Stop(USAGE, f"The token file cannot be read: {error}") from None
    if not token.isprintable() or not token:
        raise Stop(AUTH, "No token: set TIDEGATE_TOKEN, or give --token-file")
    SECRETS.append(token)
    if url.startswith("http:") and urlsplit(url).hostname not in ("localhost", "127.0.0.1", "::1"):
        talk("Warning: TIDEGATE_URL is plain http, so the token can be read on the way.")
    return Server(url, token, args.key or str(uuid.uuid4()), args.retry_for)


def main() -> int:
    token_file = os.environ.get("TIDEGATE_TOKEN_FILE")
    settings = argparse.Namespace(output="table", token_file=token_file, key="", retry_for=60.0)
    args = parser().parse_args(namespace=settings)
    try:
        code, data = args.run(connect(args), args)
    except Stop as stop:
        for line in stop.lines:
            talk(line)
        return stop.code
    except KeyboardInterrupt:
        talk("Interrupted. What was started on the server goes on.")
        return 130
    show(data, args.output)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
