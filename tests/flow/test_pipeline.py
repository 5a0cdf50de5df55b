"""The pipeline client against a whole Tidegate: its exit code alone tells the outcome."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from demo.rest import Api
from tests.flow import MARKS

pytestmark = MARKS
CLIENT = Path(__file__).parents[2] / "clients" / "tidegate.py"


@pytest.fixture
def client(tidegate, tokens):
    def run(*arguments):
        environment = {"TIDEGATE_URL": tidegate.url, "TIDEGATE_TOKEN": tokens.pipeline, "PATH": "/usr/bin:/bin"}
        command = [sys.executable, str(CLIENT), *arguments, "-o", "json"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    return run


def submit(slug, to, *more):
    return ("submit", "--project", "shop", "--target", slug, "--to", to, "--reason", "a release", *more)


def test_a_harmless_release_goes_through_in_one_command(client, make_target):
    slug, _ = make_target("0012")
    code, out, err = client(*submit(slug, "head", "--start", "--wait", "--timeout", "150"))
    assert code == 0, err
    assert json.loads(out)["status"] == "succeeded"


def test_a_dangerous_one_waits_for_a_person_and_then_goes_on(client, tidegate, tokens, make_target):
    slug, _ = make_target("0010")
    code, out, err = client(*submit(slug, "head", "--key", f"release-{slug}"))
    assert code == 2, err
    assert "/rollouts/" in err
    rollout = json.loads(out)
    again = client(*submit(slug, "head", "--key", f"release-{slug}"))
    assert (again[0], json.loads(again[1])["id"]) == (2, rollout["id"])
    assert client("approve", rollout["id"], "--digest", rollout["digest"], "--comment", "x")[0] == 5
    Api(tidegate.url, tokens.bob).post(f"rollouts/{rollout['id']}/approve/", digest=rollout["digest"], comment="")
    code, out, err = client("wait", rollout["id"], "--start", "--timeout", "150")
    assert code == 0, err
    assert client("audit", "verify")[0] == 0
