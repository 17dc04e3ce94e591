"""Installed packages match the lock files byte for byte, and run no code during the installation."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from amberflo_workflows.console.packages import install_packages
from amberflo_workflows.infra.node import find_npm
from tests import audit
from tests.packages import ROOT

LOCKS = [*sorted((ROOT / "requirements").glob("*.txt")), ROOT / "infra" / "sbt" / "build.txt"]
NPM_LOCKS = [
    ROOT / folder / "package-lock.json"
    for folder in ("infra/sbt", "src/amberflo_workflows/console", "tests/console/npm", "tests/workflows/npm")
]


def _read_requirements(lock: Path) -> list[str]:
    """The requirements of a lock file, each with its hashes on one line."""
    lines = [line for line in lock.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return "\n".join(lines).replace("\\\n", " ").splitlines()


def test_all_lock_files_are_known_and_audited() -> None:
    files = {path for folder in ("examples", "infra", "requirements") for path in (ROOT / folder).rglob("*.txt")}
    files |= {
        path
        for folder in ("infra", "src/amberflo_workflows/console", "tests")
        for path in (ROOT / folder).rglob("package-lock.json")
    }
    assert files == {*LOCKS, *NPM_LOCKS}
    # dev.txt contains uv, the only requirement of bootstrap.txt.
    assert {str(path.relative_to(ROOT)) for path in files} == {*audit.LOCKS, "requirements/bootstrap.txt"}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_is_pinned_with_hashes(lock: Path) -> None:
    requirements = _read_requirements(lock)
    assert requirements
    pinned = re.compile(r"[a-z0-9-]+==[0-9][\w.]*( ; .+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*")
    assert [requirement for requirement in requirements if not pinned.fullmatch(requirement)] == []


@pytest.mark.parametrize("lock", NPM_LOCKS, ids=lambda lock: lock.parent.name)
def test_every_npm_package_has_a_hash_and_names_no_host(lock: Path) -> None:
    packages = json.loads(lock.read_text())["packages"]
    packages.pop("")
    assert packages
    # A bundled package is part of another package's file and covered by that file's hash.
    separate = {name: package for name, package in packages.items() if not package.get("inBundle")}
    assert [name for name, package in separate.items() if not package["integrity"].startswith("sha512-")] == []
    assert [name for name, package in packages.items() if package.keys() & {"resolved", "link"}] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_python_package_has_a_wheel_for_this_platform(lock: Path, tmp_path: Path) -> None:
    from uv import find_uv_bin  # noqa: PLC0415 - only this test needs it

    command = [find_uv_bin(), "pip", "install", "--dry-run", "--target", str(tmp_path), "--python", sys.executable]
    command += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(lock)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr


def test_setup_installs_only_wheels_with_hashes() -> None:
    process = subprocess.run(
        ["make", "--dry-run", "--always-make", ".venv/.ready"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    installs = [line for line in process.stdout.splitlines() if re.search(r"pip (install|sync)", line)]
    own, locked = installs.pop(), installs
    assert len(locked) == 2
    assert all("--require-hashes --only-binary :all:" in line for line in locked)
    assert own.endswith("--no-deps --no-build-isolation --editable .")


def test_npm_runs_no_install_scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evil, pins, ran = tmp_path / "evil", tmp_path / "pins", tmp_path / "ran"
    for folder in (evil, pins):
        folder.mkdir()
    script = {"postinstall": f"echo > {ran}"}
    (evil / "package.json").write_text(json.dumps({"name": "evil", "version": "1.0.0", "scripts": script}))
    packed = subprocess.run([*find_npm(), "pack", "--json"], cwd=evil, capture_output=True, check=True).stdout
    (package,) = json.loads(packed)
    url = f"file:{evil / package['filename']}"
    (pins / "package.json").write_text(json.dumps({"name": "pins", "dependencies": {"evil": url}}))
    locked = {"version": "1.0.0", "resolved": url, "integrity": package["integrity"], "hasInstallScript": True}
    packages = {"": {"name": "pins", "dependencies": {"evil": url}}, "node_modules/evil": locked}
    (pins / "package-lock.json").write_text(json.dumps({"name": "pins", "lockfileVersion": 3, "packages": packages}))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert (install_packages(pins) / "evil" / "package.json").exists()
    assert not ran.exists()
    # Without the option, npm runs the script.
    subprocess.run([*find_npm(), "ci", "--no-audit", "--no-fund"], cwd=pins, capture_output=True, check=True)
    assert ran.exists()


def test_every_npm_install_ignores_scripts() -> None:
    sources = [path.read_text() for folder in ("infra", "src") for path in (ROOT / folder).rglob("*.py")]
    installs = [re.findall(r'"(?:ci|install)", "([^"]*)"', source) for source in sources if "*find_npm()" in source]
    assert sorted(installs) == [["--ignore-scripts"], ["--ignore-scripts", "--ignore-scripts"]]


def test_an_audit_without_network_fails_and_says_so() -> None:
    no_network = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "npm_config_registry"), "http://127.0.0.1:9")
    locks = ("requirements/bootstrap.txt", "src/amberflo_workflows/console/package-lock.json")
    command, environment = [sys.executable, "-m", "tests.audit", *locks], {**os.environ, **no_network}
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 2, process
    assert [line.partition(",")[0] for line in process.stdout.splitlines()] == [
        f"{lock}: NOT AUDITED" for lock in locks
    ]
