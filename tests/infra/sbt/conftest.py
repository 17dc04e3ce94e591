import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.packages import build_own_wheel, create_environment, run_in_environment
from tests.shared_folders import shared_folder

# Where the sandbox's address is in the template for the emulator, until a test process has a sandbox.
AMBERFLO_URL: Final = "https://amberflo.example.com"
_SCOPES: Final = {"read_scope": "tenant/tenant_read", "write_scope": "tenant/tenant_write"}
_CONTROL_PLANES: Final[dict[str, dict[str, Any]]] = {
    "unextended": {},
    "extended": {"extend": True, "metering": _SCOPES},
    "deployed": {"local": True, "metering": {"amberflo_base_url": AMBERFLO_URL}},
    "plain": {"plain": True, "extend": True},
}


@dataclass(frozen=True)
class ControlPlaneAssembly:
    """A synthesised control plane: its template, its folder, and the paths of constructs with cdk-nag findings."""

    template: dict[str, Any]
    folder: Path
    findings: list[str]


@dataclass(frozen=True)
class SbtEnvironment:
    """An environment with our wheel and the bindings for SBT, and the control planes that were synthesised in it."""

    folder: Path

    def run(self, script: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        python = self.folder / "venv" / "bin" / "python"
        return run_in_environment(python, self.folder, str(script), *arguments, **environment)

    def read_results(self) -> dict[str, dict[str, Any]]:
        """Read what ``synthesise.py`` printed about each control plane."""
        results: dict[str, dict[str, Any]] = json.loads((self.folder / "results.json").read_text())
        return results

    def read_assembly(self, name: str) -> ControlPlaneAssembly:
        out = self.folder / name
        template = json.loads((out / "MyStack.template.json").read_text())
        return ControlPlaneAssembly(template, out, self.read_results()[name]["findings"])


@pytest.fixture(scope="session")
def bindings(run_folder: Path) -> Iterator[Path]:
    """The wheel that ``make sbt-bindings`` builds."""
    with shared_folder(run_folder, "bindings", _build_bindings) as folder:
        (wheel,) = folder.glob("*.whl")
        yield wheel


def _build_bindings(out: Path) -> None:
    command = [sys.executable, "-m", "amberflo_workflows.infra.sbt.bindings", "--out", str(out)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    (wheel,) = out.iterdir()
    assert f"amberflo-workflows[cdk]: pip install {wheel}" in result.stdout


@pytest.fixture(scope="session")
def sbt(run_folder: Path, bindings: Path) -> Iterator[SbtEnvironment]:
    def fill(folder: Path) -> None:
        own = f"amberflo-workflows[cdk] @ {build_own_wheel(folder).as_uri()}"
        # SBT needs cdk-nag 2, and our lock has cdk-nag 3. All other versions are the locked ones.
        create_environment(folder, own, str(bindings), unlocked="cdk-nag")
        _synthesise(SbtEnvironment(folder))

    with shared_folder(run_folder, "sbt", fill) as folder:
        yield SbtEnvironment(folder)


def _synthesise(sbt: SbtEnvironment) -> None:
    script = Path(__file__).with_name("synthesise.py")
    planes = _CONTROL_PLANES.items()
    result = sbt.run(script, *(json.dumps({"out": str(sbt.folder / name), **options}) for name, options in planes))
    assert result.returncode == 0, result.stderr
    results = dict(zip(_CONTROL_PLANES, json.loads(result.stdout), strict=True))
    (sbt.folder / "results.json").write_text(json.dumps(results))


@pytest.fixture(scope="session")
def unextended(sbt: SbtEnvironment) -> ControlPlaneAssembly:
    """The routes and rules that the control plane itself creates, without ``extend()``."""
    return sbt.read_assembly("unextended")


@pytest.fixture(scope="session")
def extended(sbt: SbtEnvironment) -> ControlPlaneAssembly:
    """With ``extend()``, and with scopes."""
    return sbt.read_assembly("extended")
