"""`pulumi preview`, `up`, `refresh` and `destroy` by hand work on a stack that labctl made, whichever engine made it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra import state
from infra.engines import choice
from labctl import errors
from tests.infra import node_plans


@pytest.fixture
def pulumi(node, provisioner, tmp_path):
    cli = choice.find()
    if cli is None or not cli.supported:
        pytest.skip("no `pulumi` on PATH or in $LABCTL_PULUMI")
    path = os.pathsep.join([str(cli.path.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    if not shutil.which("pulumi-language-python", path=path):
        pytest.skip("this `pulumi` has no Python language plugin beside it")
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(json.loads(node_plans.site(node).model_dump_json())))
    (tmp_path / "passphrase").write_text("any")
    environment = os.environ | {
        "LABCTL_HOME": str(tmp_path), "PATH": path, "PULUMI_BACKEND_URL": provisioner._backend.url, "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "passphrase"), "PULUMI_HOME": str(tmp_path / "pulumi-home"),
    }  # fmt: skip

    def run(stack: str, *arguments: str) -> str:
        command = [str(cli.path), *arguments, "--non-interactive", "--color=never", "--stack", f"organization/labctl/{stack}"]
        done = subprocess.run(
            command, cwd=tmp_path / "state" / "project", env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_the_cli_by_hand_finds_everything_unchanged_and_can_take_it_away(pulumi, provisioner, site, plot, said):
    plan = node_plans.plan(site, plot)
    provisioner.build(plan, said.append)
    assert "5 unchanged" in pulumi(plan.environment, "preview")
    assert "5 unchanged" in pulumi(plan.environment, "up", "--yes", "--skip-preview")
    assert "5 unchanged" in pulumi(plan.environment, "refresh", "--yes", "--skip-preview")
    assert "5 deleted" in pulumi(plan.environment, "destroy", "--yes", "--skip-preview")
    assert provisioner.leftovers([]) == (f"record of environment {plan.environment}",)
    assert provisioner.remove(plan.environment, plot, said.append).left == ()


def cli_of(folder: Path, version: str) -> Path:
    """A stand-in for a CLI that only tells its version: the choice asks for no more."""
    file = folder / "pulumi"
    file.write_text(f"#!/bin/sh\necho {version}\n")
    file.chmod(0o755)
    return file


def test_auto_takes_a_supported_cli_and_else_the_embedded_engine(tmp_path, monkeypatch):
    backend = state.Backend(tmp_path / "state")
    monkeypatch.setenv("LABCTL_PULUMI", str(cli_of(tmp_path, "v3.260.0")))
    assert choice.choose("auto", backend, tmp_path / "passphrase").name == "pulumi"
    assert choice.choose("embedded", backend, tmp_path / "passphrase").name == "embedded"
    assert "3.260.0" in choice.describe("auto", backend)
    cli_of(tmp_path, "v2.1.0")
    assert choice.choose("auto", backend, tmp_path / "passphrase").name == "embedded"
    assert "supported are" in choice.describe("auto", backend)
    with pytest.raises(errors.NotFound, match=r"version v2\.1\.0"):
        choice.choose("pulumi", backend, tmp_path / "passphrase")


def test_without_a_cli_the_reason_is_told(tmp_path, monkeypatch):
    backend = state.Backend(tmp_path / "state")
    monkeypatch.delenv("LABCTL_PULUMI", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert choice.choose("auto", backend, tmp_path / "passphrase").name == "embedded"
    assert choice.describe("auto", backend) == "embedded (no `pulumi` on the PATH)"
    with pytest.raises(errors.NotFound) as refusal:
        choice.choose("pulumi", backend, tmp_path / "passphrase")
    assert "labctl engine install" in refusal.value.hint
    with pytest.raises(errors.BadInput, match="must be auto"):
        choice.choose("terraform", backend, tmp_path / "passphrase")
