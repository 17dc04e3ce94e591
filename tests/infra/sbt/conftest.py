import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.packages import build_own_wheel, create_environment, run_in_environment


@dataclass(frozen=True)
class ControlPlaneAssembly:
    """A synthesised control plane: its template, its folder, and the paths of constructs with cdk-nag findings."""

    template: dict[str, Any]
    folder: Path
    findings: list[str]


@dataclass(frozen=True)
class SbtEnvironment:
    """An environment with our wheel and the bindings for SBT."""

    python: Path
    folder: Path

    def run(self, script: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return run_in_environment(self.python, self.folder, str(script), *arguments, **environment)

    def synthesise(self, name: str, **options: Any) -> ControlPlaneAssembly:
        out = self.folder / name
        script = Path(__file__).with_name("synthesise.py")
        result = self.run(script, json.dumps({"out": str(out), **options}))
        assert result.returncode == 0, result.stderr
        template = json.loads((out / "MyStack.template.json").read_text())
        return ControlPlaneAssembly(template, out, json.loads(result.stdout))


@pytest.fixture(scope="session")
def bindings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that ``make sbt-bindings`` builds."""
    out = tmp_path_factory.mktemp("bindings")
    command = [sys.executable, "-m", "amberflo_workflows.infra.sbt.bindings", "--out", str(out)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    (wheel,) = out.iterdir()
    assert f"pip install 'amberflo-workflows[cdk]' {wheel}" in result.stdout
    return wheel


@pytest.fixture(scope="session")
def sbt(bindings: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SbtEnvironment]:
    folder = tmp_path_factory.mktemp("sbt")
    own = f"amberflo-workflows[cdk] @ {build_own_wheel(folder).as_uri()}"
    # SBT needs cdk-nag 2, and our lock has cdk-nag 3. All other versions are the locked ones.
    yield SbtEnvironment(create_environment(folder, own, str(bindings), unlocked="cdk-nag"), folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def unextended(sbt: SbtEnvironment) -> ControlPlaneAssembly:
    """The routes and rules that the control plane itself creates, without ``extend()``."""
    return sbt.synthesise("unextended")


@pytest.fixture(scope="session")
def extended(sbt: SbtEnvironment) -> ControlPlaneAssembly:
    """With ``extend()``, and with scopes."""
    scopes = {"read_scope": "tenant/tenant_read", "write_scope": "tenant/tenant_write"}
    return sbt.synthesise("extended", extend=True, metering=scopes)
