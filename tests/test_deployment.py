"""What deploys the gateway names what there is: settings, commands, files, checks, and whom it runs as."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.core.config import Config
from gateway.server.gunicorn_app import DRAIN_SECONDS
from tests.conftest import ROOT

yaml = pytest.importorskip("yaml")
DOCKERFILE = (ROOT / "Dockerfile").read_text()
UNIT = ROOT / "deploy/feedback-gateway.service"
FILES = ["Dockerfile", "compose.yaml", "deploy/kubernetes.yaml", "deploy/feedback-gateway.service"]
SETTINGS = {f"GATEWAY_{field.name.upper()}" for field in fields(Config)}
KNOWN = SETTINGS | {f"{name}_FILE" for name in SETTINGS}


def instructions() -> Iterator[tuple[str, str]]:
    """The Dockerfile's instructions with their words."""
    for line in re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", DOCKERFILE)).splitlines():
        if line.strip():
            name, _, words = line.strip().partition(" ")
            yield name, words


def compose() -> Any:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def kubernetes() -> dict[str, Any]:
    return {one["kind"]: one for one in yaml.safe_load_all((ROOT / "deploy/kubernetes.yaml").read_text())}


def unit() -> dict[str, list[str]]:
    """The [Service] part: every value of each name."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text().partition("[Service]")[2].partition("[Install]")[0].splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def tool(name: str) -> str:
    """A linter that comes with the extra `[lint]`."""
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"needs {name}, which `pip install -e .[lint]` brings")
    return found


@pytest.mark.parametrize("name", [*FILES, "docs/deployment.md"])
def test_settings_exist(name: str) -> None:
    """Every GATEWAY_ variable that is named is one of ours."""
    named = set(re.findall(r"\bGATEWAY_[A-Z_]+[A-Z]", (ROOT / name).read_text()))

    assert named <= KNOWN
    assert named


def test_commands_exist() -> None:
    """Every command that is run is one of `feedback-gateway`."""
    words = [
        one["command"][0] for one in compose()["services"].values() if "build" in one and "command" in one
    ]
    pod = kubernetes()["Deployment"]["spec"]["template"]["spec"]
    words += [one["args"][0] for one in pod["initContainers"]]
    words += [value.split()[1] for name in ("ExecStart", "ExecStartPre") for value in unit()[name]]
    words += re.findall(r'CMD \["(\w+)"\]', DOCKERFILE)
    text = (ROOT / "docs/deployment.md").read_text()
    words += re.findall(
        r"(?:feedback-gateway|gateway-1|deploy/feedback-gateway --) (init|migrate|serve|key)\b", text
    )

    assert {"migrate", "serve", "init"} <= set(words) <= set(main.commands)


def test_files_exist() -> None:
    """What is copied or mounted is here, and .dockerignore lets exactly that through."""
    stages = [words for name, words in instructions() if name == "FROM"]
    copied = [
        source
        for name, words in instructions()
        if name == "COPY" and "--from" not in words
        for source in words.split()[:-1]
    ]
    let_through = re.findall(r"(?m)^!(.*)$", (ROOT / ".dockerignore").read_text())
    mounted = [v.split(":")[0] for one in compose()["services"].values() for v in one.get("volumes", ())]

    assert len(stages) == 2
    assert sorted(copied) == sorted(let_through)
    for path in [*copied, *(path for path in mounted if path.startswith("."))]:
        assert (ROOT / path).exists(), path


def test_the_image() -> None:
    """It runs as a number that is not root, its health is asked without curl, and SIGTERM ends it."""
    last = dict(instructions())

    assert int(last["USER"].split(":")[0]) > 0
    assert "/healthz" in last["HEALTHCHECK"]
    assert "curl" not in DOCKERFILE
    assert last["STOPSIGNAL"] == "SIGTERM"
    assert shlex.split(last["ENTRYPOINT"]) == ["[feedback-gateway]"]
    assert "feedback-gateway =" in (ROOT / "setup.cfg").read_text()


def test_images_are_pinned() -> None:
    """Every image of somebody else's names its major version."""
    images = [words.split()[0] for name, words in instructions() if name == "FROM"]
    images += [one["image"] for one in compose()["services"].values()]

    for image in images:
        assert re.search(r":\d+(\.\d+)?(-\w+)?$", image), image


def test_two_gateways_behind_the_proxy() -> None:
    """The proxy names both gateways by the port they listen on, and trusts nothing that has no body limit."""
    config, services = (ROOT / "deploy/Caddyfile").read_text(), compose()["services"]
    behind = re.findall(r"(gateway-\d):(\d+)", config)

    assert [name for name, _ in behind] == [name for name in services if name.startswith("gateway-")]
    assert {port for _, port in behind} == {"8000"}
    assert "GATEWAY_BIND=0.0.0.0:8000" in DOCKERFILE
    assert config.count("{") == config.count("}")
    (largest,) = re.findall(r"max_size (\d+)MB", config)
    known = Config()
    assert int(largest) * 1_000_000 >= max(known.max_batch_body, known.max_envelope, known.max_upload)
    for name, _ in behind:
        assert services[name]["read_only"]
        assert int(services[name]["stop_grace_period"].rstrip("s")) > DRAIN_SECONDS


def test_files_outlive_the_hosts_that_share_them() -> None:
    """No two gateways keep files where the other does not see them, or where they end with the container."""
    config = compose()
    for name, one in config["services"].items():
        if not name.startswith("gateway-"):
            continue
        (volume,) = [text.split(":") for text in one["volumes"]]
        assert volume[0] in config["volumes"]
        assert one["environment"]["GATEWAY_FILES_DIR"] == volume[1]
        assert f" {volume[1]}\n" in DOCKERFILE  # whose owner a new volume takes
    assert kubernetes()["ConfigMap"]["data"]["GATEWAY_FILES_URL"].startswith("s3://")
    (built,) = [words for name, words in instructions() if name == "RUN" and "pip" in words]
    assert ",s3]" in built


def test_the_unit() -> None:
    """The unit waits longer than requests may take, and systemd understands it."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNIT)

    assert parser.sections() == ["Unit", "Service", "Install"]
    assert int(unit()["TimeoutStopSec"][0]) > DRAIN_SECONDS
    assert unit()["DynamicUser"] == ["yes"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """systemd's own check finds nothing in the unit but the program that is not installed there."""
    copy = tmp_path / UNIT.name
    copy.write_text(
        UNIT.read_text().replace("/opt/feedback-gateway/bin/feedback-gateway", shutil.which("true") or "")
    )
    done = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)

    assert [line for line in done.stderr.splitlines() if UNIT.name in line] == []


def test_drain() -> None:
    """A pod has time for preStop and for its requests; probes ask what is there; one pod always stays."""
    found = kubernetes()
    pod = found["Deployment"]["spec"]["template"]["spec"]
    (gateway,) = pod["containers"]
    (slept,) = re.findall(r"sleep\((\d+)\)", " ".join(gateway["lifecycle"]["preStop"]["exec"]["command"]))

    assert pod["terminationGracePeriodSeconds"] > int(slept) + DRAIN_SECONDS
    assert gateway["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert gateway["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert gateway["securityContext"]["readOnlyRootFilesystem"]
    assert found["PodDisruptionBudget"]["spec"]["minAvailable"] < found["Deployment"]["spec"]["replicas"]
    for kind in ("Service", "PodDisruptionBudget"):
        selector = found[kind]["spec"]["selector"]
        assert selector.get("matchLabels", selector) == found["Deployment"]["spec"]["selector"]["matchLabels"]


@pytest.mark.parametrize(
    "command",
    [["hadolint", "Dockerfile"], ["kubernetes-validate", "--strict", "deploy/kubernetes.yaml"]],
    ids=lambda command: command[0],
)
def test_linters(command: list[str]) -> None:
    """hadolint and the schemas of Kubernetes have nothing to say."""
    done = subprocess.run(
        [tool(command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
def test_the_steps_of_the_image(tmp_path: Path) -> None:
    """The Dockerfile's steps in a folder: what is copied installs by itself and labels a text."""
    source, venv = tmp_path / "src", tmp_path / "venv"
    source.mkdir()
    for name, words in instructions():
        if name == "COPY" and "--from" not in words:
            *copied, target = words.split()
            for path in copied:
                if (ROOT / path).is_dir():
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(ROOT / path, source / target, ignore=ignored)
                else:
                    shutil.copy(ROOT / path, source / target)
    (built,) = [words for name, words in instructions() if name == "RUN" and "pip" in words]
    subprocess.run(["sh", "-ec", built.replace("/opt/gateway", str(venv))], cwd=source, check=True)
    program = str(venv / "bin/feedback-gateway")
    environ = {"PATH": f"{venv}/bin:/usr/bin:/bin", "GATEWAY_DATA_DIR": str(tmp_path)}
    said = subprocess.run(
        [program, "--help"], env=environ, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    told = subprocess.run(
        [program, "triage", "The export crashes"],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "migrate" in said.stdout
    assert told.stdout.startswith("bug ")
