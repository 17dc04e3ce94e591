"""Wheels and virtual environments as a user makes them, with nothing of this repository around."""

import os
import re
import subprocess
import sys
from pathlib import Path

import uv

ROOT = Path(__file__).parents[1]


def run_uv(*arguments: str) -> None:
    done = subprocess.run([uv.find_uv_bin(), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def build_own_wheel(folder: Path) -> Path:
    run_uv("build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", str(folder), str(ROOT))
    (built,) = folder.glob("amberflo_workflows-*.whl")
    return built


def create_environment(folder: Path, *packages: str, without: str = "") -> Path:
    """The interpreter of a new environment with the packages in it, at the locked versions but for one."""
    locked = re.findall(r"^([\w.\[\]-]+==[^\s\\;]+)", (ROOT / "requirements" / "dev.txt").read_text(), re.MULTILINE)
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(line for line in locked if line.split("==")[0] != without))
    run_uv("venv", "--python", sys.executable, str(folder / "venv"))
    python = folder / "venv" / "bin" / "python"
    run_uv("pip", "install", "--python", str(python), "--constraint", str(constraints), *packages)
    return python


def run_in_environment(python: Path, folder: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run that interpreter in a folder, with no Node on the path, and no bundle from elsewhere."""
    environment = {"PATH": os.defpath, "HOME": str(folder), "CDK_OUTDIR": "out", **more}
    kept = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_", "PIP_"))}
    command = [str(python), *arguments]
    return subprocess.run(command, cwd=folder, env={**kept, **environment}, capture_output=True, text=True, check=False)
