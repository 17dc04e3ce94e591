"""The source of packages; and wheels and virtual environments, as a user builds them, isolated from this repository."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import uv

ROOT = Path(__file__).parents[1]
# The variables that an isolated process inherits: where packages are, and that CDK does not validate.
INHERITED = ("UV_", "SSL_", "PIP_", "CDK_VALIDATION")


def read_source(module: str) -> str:
    """Return the source of an installed module."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text()


def run_uv(*arguments: str) -> None:
    result = subprocess.run([uv.find_uv_bin(), *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def build_own_wheel(folder: Path, *, through_sdist: bool = True) -> Path:
    """Build the wheel as ``make wheel`` and ``python -m build`` do, from an sdist, or directly from the repository."""
    command = ["build", *([] if through_sdist else ["--wheel"]), "--no-build-isolation", "--python", sys.executable]
    run_uv(*command, "--out-dir", str(folder), str(ROOT))
    (wheel,) = folder.glob("amberflo_workflows-*.whl")
    return wheel


def create_environment(folder: Path, *packages: str, unlocked: str = "") -> Path:
    """Create an environment with the packages and return its interpreter.

    Versions are the locked ones, except for the package ``unlocked``.
    """
    locked = re.findall(r"^([\w.\[\]-]+==[^\s\\;]+)", (ROOT / "requirements" / "dev.txt").read_text(), re.MULTILINE)
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(line for line in locked if line.split("==")[0] != unlocked))
    run_uv("venv", "--python", sys.executable, str(folder / "venv"))
    python = folder / "venv" / "bin" / "python"
    install = ["pip", "install", "--python", str(python), "--constraint", str(constraints)]
    run_uv(*install, *packages)
    # aws-cdk-lib and aws-cdk.cloud-assembly-schema have a file in common, with different content. pip installs
    # aws-cdk-lib last, and uv both at the same time.
    run_uv(*install, "--no-deps", "--reinstall-package", "aws-cdk-lib", "aws-cdk-lib")
    return python


def run_in_environment(
    python: Path, folder: Path, *arguments: str, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run an interpreter in a folder, with no Node on the PATH and with an empty cache of ours."""
    environment = {"PATH": os.defpath, "HOME": str(folder), "CDK_OUTDIR": "out", **variables}
    # jsii would unpack CDK again, which takes many seconds.
    environment["JSII_RUNTIME_PACKAGE_CACHE_ROOT"] = str(Path.home() / ".cache" / "aws" / "jsii" / "package-cache")
    inherited = {name: value for name, value in os.environ.items() if name.startswith(INHERITED)}
    command = [str(python), *arguments]
    return subprocess.run(
        command, cwd=folder, env={**inherited, **environment}, capture_output=True, text=True, check=False
    )
