"""Known vulnerabilities of the packages in the lock files: ``make audit``.

Queries the advisory sources of PyPI and npm. Exits with 1 if they list any, and with 2 if a query failed.
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
    "tests/workflows/npm/package-lock.json",
)


class AuditFailed(Exception):
    """The advisory source could not be queried; the message has the reason."""


def list_vulnerabilities(lock: Path) -> list[str]:
    """List the vulnerabilities of the packages in a lock file, one line each. Raises :class:`AuditFailed`."""
    return _list_npm_vulnerabilities(lock) if lock.suffix == ".json" else _list_python_vulnerabilities(lock)


def _list_python_vulnerabilities(lock: Path) -> list[str]:
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--no-deps"]
    command += ["--progress-spinner", "off", "--timeout", "10", "--format", "json", "-r", str(lock)]
    packages = _run_json(command, lock.parent)["dependencies"]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if unknown:
        raise AuditFailed(f"it does not know {len(unknown)} of {len(packages)} packages, for example {unknown[0]}")
    return [
        f"{package['name']} {package['version']}: {vulnerability['id']}"
        for package in packages
        for vulnerability in package["vulns"]
    ]


def _list_npm_vulnerabilities(lock: Path) -> list[str]:
    command = [*find_npm(), "audit", "--package-lock-only", "--json", "--fetch-retries=0"]
    report = _run_json(command, lock.parent)
    if "vulnerabilities" not in report:
        raise AuditFailed(str(report.get("message") or report.get("error"))[:200])
    return [f"{name}: {item['severity']}" for name, item in report["vulnerabilities"].items()]


def _run_json(command: list[str], folder: Path) -> Any:
    environment = {**os.environ, "PATH": f"{Path(find_node()).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    try:
        return json.loads(result.stdout)
    except ValueError:
        raise AuditFailed((result.stderr.strip().splitlines() or ["no output"])[-1][:200]) from None


def main(locks: Sequence[str]) -> int:
    """Audit each lock file and print the result, one or more lines each."""
    codes = {0}
    for name in locks:
        try:
            vulnerabilities = list_vulnerabilities(ROOT / name)
        except AuditFailed as error:
            print(f"{name}: NOT AUDITED, its advisory source could not be queried: {error}")
            codes.add(2)
        else:
            print("\n".join(f"{name}: {line}" for line in vulnerabilities or ["no known vulnerabilities"]))
            codes.add(1 if vulnerabilities else 0)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or LOCKS))
