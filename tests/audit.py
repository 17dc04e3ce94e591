"""Known vulnerabilities in what the locks name: ``make audit``.

Asks the advisory sources of PyPI and npm, and ends with 1 if they know of any, with 2 if they could not be asked.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from amberflo_workflows.infra.node import find_node, find_npm
from tests.packages import ROOT

LOCKS: Final = (
    "requirements/dev.txt",
    "requirements/lambda.txt",
    "infra/sbt/build.txt",
    "infra/sbt/package-lock.json",
    "src/amberflo_workflows/console/package-lock.json",
    "tests/console/npm/package-lock.json",
)


class AuditFailed(Exception):
    """The advisory source gave no answer; the message says what it or the way to it said."""


def list_vulnerabilities(lock: Path) -> list[str]:
    """Vulnerabilities of what a lock names, a line each. Raises :class:`AuditFailed`."""
    return _list_npm_vulnerabilities(lock) if lock.suffix == ".json" else _list_python_vulnerabilities(lock)


def _list_python_vulnerabilities(lock: Path) -> list[str]:
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--no-deps"]
    command += ["--progress-spinner", "off", "--timeout", "10", "--format", "json", "-r", str(lock)]
    packages = _run_json(command, lock.parent)["dependencies"]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if unknown:
        raise AuditFailed(f"it knows nothing of {len(unknown)} of {len(packages)} packages, among them {unknown[0]}")
    return [f"{package['name']} {package['version']}: {one['id']}" for package in packages for one in package["vulns"]]


def _list_npm_vulnerabilities(lock: Path) -> list[str]:
    command = [*find_npm(), "audit", "--package-lock-only", "--json", "--fetch-retries=0"]
    found = _run_json(command, lock.parent)
    if "vulnerabilities" not in found:
        raise AuditFailed(str(found.get("message") or found.get("error"))[:200])
    return [f"{name}: {one['severity']}" for name, one in found["vulnerabilities"].items()]


def _run_json(command: list[str], folder: Path) -> Any:
    environment = {**os.environ, "PATH": f"{Path(find_node()).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise AuditFailed((done.stderr.strip().splitlines() or ["it said nothing"])[-1][:200]) from None


def main(locks: Sequence[str]) -> int:
    """Ask for each lock and tell the outcome, a line or more each."""
    codes = {0}
    for name in locks:
        try:
            found = list_vulnerabilities(ROOT / name)
        except AuditFailed as error:
            print(f"{name}: NOT AUDITED, its advisory source could not be asked: {error}")
            codes.add(2)
        else:
            print("\n".join(f"{name}: {one}" for one in found or ["nothing is known"]))
            codes.add(1 if found else 0)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or LOCKS))
