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
class Synthesised:
    """A control plane's stack: its template, its assembly, and the constructs that cdk-nag has findings on."""

    template: dict[str, Any]
    assembly: Path
    findings: list[str]


@dataclass(frozen=True)
class Sbt:
    """An environment with our wheel and the bindings."""

    python: Path
    folder: Path

    def run(self, script: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return run_in_environment(self.python, self.folder, str(script), *arguments, **environment)

    def synthesise(self, name: str, **wanted: Any) -> Synthesised:
        out = self.folder / name
        script = Path(__file__).with_name("synthesise.py")
        done = self.run(script, json.dumps({"out": str(out), **wanted}))
        assert done.returncode == 0, done.stderr
        return Synthesised(json.loads((out / "MyStack.template.json").read_text()), out, json.loads(done.stdout))


@pytest.fixture(scope="session")
def bindings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that ``make sbt-bindings`` writes, by its command."""
    out = tmp_path_factory.mktemp("bindings")
    command = [sys.executable, "-m", "amberflo_workflows.infra.sbt.bindings", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = out.iterdir()
    assert f"pip install 'amberflo-workflows[cdk]' {wheel}" in done.stdout
    return wheel


@pytest.fixture(scope="session")
def sbt(bindings: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sbt]:
    folder = tmp_path_factory.mktemp("sbt")
    own = f"amberflo-workflows[cdk] @ {build_own_wheel(folder).as_uri()}"
    # Ours is for cdk-nag 3, SBT for 2: the one thing in which an app's environment differs from this one.
    yield Sbt(create_environment(folder, own, str(bindings), without="cdk-nag"), folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def wired(sbt: Sbt) -> Synthesised:
    """As the control plane wires it."""
    return sbt.synthesise("wired")


@pytest.fixture(scope="session")
def extended(sbt: Sbt) -> Synthesised:
    """As we wire it ourselves where it can be reached."""
    scopes = {"read_scope": "tenant/tenant_read", "write_scope": "tenant/tenant_write"}
    return sbt.synthesise("extended", extend=True, metering=scopes)
