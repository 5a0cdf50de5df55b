"""docker-compose.yml, read as a careful person would. Its scripts are run by tests/test_deploy_scripts.py."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
EXAMPLE = dict(
    line.split("=", 1) for line in (ROOT / "deploy/example.env").read_text().splitlines() if re.match(r"\w+=", line)
)
OURS = {name for name, service in SERVICES.items() if "build" in service}


def test_every_part_of_tidegate_and_its_servers_is_there():
    assert set(SERVICES) == {
        *("control-db", "broker", "setup", "web", "worker", "steering", "scheduler"),
        *("primary", "replica"),
    }


def test_every_image_is_pinned_to_a_version():
    bases = re.findall(r"^FROM (\S+)", (ROOT / "deploy/Dockerfile").read_text(), re.M)
    for image in [service["image"] for service in SERVICES.values()] + bases:
        assert re.fullmatch(r"[a-z/]+:\d+\.\d+(\.\d+)?(-[a-z-]+)?", image), image


def test_everything_waits_for_what_it_needs_and_says_whether_it_is_healthy():
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            ends = SERVICES[needed].get("restart") == "no"
            assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy")
            assert ends or "healthcheck" in SERVICES[needed], f"{name} waits for {needed}, whose health nobody knows"
    assert {name for name in SERVICES if "healthcheck" not in SERVICES[name]} == {"setup"}
    assert set(SERVICES["worker"]["depends_on"]) == {"setup", "control-db", "broker"}


def queues_of(service):
    queues = next(word for word in SERVICES[service]["command"] if word.startswith("--queues="))
    return set(queues.removeprefix("--queues=").split(","))


def test_all_four_queues_are_served_and_steering_never_waits_behind_work():
    assert queues_of("worker") == {"revisions", "backfill"}
    assert queues_of("steering") == {"control", "notify"}


def test_every_variable_that_is_set_is_read_by_the_settings():
    source = "".join(
        path.read_text() for folder in ("controlplane", "migrations_app") for path in (ROOT / folder).rglob("*.py")
    )
    names = {name for service in OURS for name in SERVICES[service]["environment"] if name.startswith("TIDEGATE_")}
    assert len(names) >= 5
    assert [name for name in sorted(names) if f'"{name}"' not in source] == []


def test_every_variable_that_is_asked_for_is_in_the_example_and_no_secret_has_a_default():
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", TEXT))
    assert asked == set(EXAMPLE)
    for name in (name for name in asked if name.endswith(("PASSWORD", "KEY", "KEYS"))):
        assert EXAMPLE[name] == "", f"{name} is given away in the example"
        assert f"${{{name}:?" in TEXT, f"{name} may be forgotten without a word"
        assert f"${{{name}:-" not in TEXT


def test_every_file_that_is_mounted_or_run_exists_and_every_volume_is_declared():
    for service in SERVICES.values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert source in COMPOSE["volumes"] or (source.startswith("./") and (ROOT / source).is_file()), source
        if "build" in service:
            assert (ROOT / service["build"]["dockerfile"]).is_file()
    assert (ROOT / SERVICES["web"]["healthcheck"]["test"][-1]).is_file()


def test_only_the_web_server_is_published_and_only_to_this_machine():
    assert [name for name in SERVICES if "ports" in SERVICES[name]] == ["web"]
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["web"]["ports"])


def test_compose_itself_accepts_the_file_where_it_is_installed(tmp_path):
    """Where it is not, the same words are at least put where compose would put them: no variable is left over."""
    filled = tmp_path / "filled.env"
    filled.write_text("".join(f"{name}={value or 'x1'}\n" for name, value in EXAMPLE.items()))
    if _has_compose():
        command = ["docker", "compose", "--env-file", filled, "-f", ROOT / "docker-compose.yml", "config", "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    plain = re.sub(r"(?<!\$)\$\{(\w+)(?::[?-][^}]*)?\}", lambda found: EXAMPLE[found[1]] or "x1", TEXT)
    assert "${" not in plain.replace("$${", "")
    assert yaml.safe_load(plain)["services"]["web"]["environment"]["TIDEGATE_ALLOWED_HOSTS"] == "localhost,127.0.0.1"


def _has_compose() -> bool:
    asked = ["docker", "compose", "version"]
    return bool(shutil.which("docker")) and subprocess.run(asked, capture_output=True, check=False).returncode == 0
