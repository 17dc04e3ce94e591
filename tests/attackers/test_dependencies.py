"""What is installed is what was locked, byte for byte, and runs no code of its own while it is installed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from amberflo_workflows.console.packages import installed
from amberflo_workflows.infra.node import find_npm
from tests import audit
from tests.packages import ROOT

LOCKS = [*sorted((ROOT / "requirements").glob("*.txt")), ROOT / "infra" / "sbt" / "build.txt"]
NPM_LOCKS = [
    ROOT / folder / "package-lock.json"
    for folder in ("infra/sbt", "src/amberflo_workflows/console", "tests/console/npm")
]


def _requirements(lock: Path) -> list[str]:
    """Each on one line, with its hashes."""
    lines = [line for line in lock.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return "\n".join(lines).replace("\\\n", " ").splitlines()


def test_all_lock_files_are_known_and_audited() -> None:
    found = {path for room in ("examples", "infra", "requirements") for path in (ROOT / room).rglob("*.txt")}
    found |= {
        path
        for room in ("infra", "src/amberflo_workflows/console", "tests")
        for path in (ROOT / room).rglob("package-lock.json")
    }
    assert found == {*LOCKS, *NPM_LOCKS}
    # The lock of uv alone is a part of another.
    assert {str(path.relative_to(ROOT)) for path in found} == {*audit.LOCKS, "requirements/bootstrap.txt"}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_is_pinned_with_hashes(lock: Path) -> None:
    requirements = _requirements(lock)
    assert requirements
    whole = re.compile(r"[a-z0-9-]+==[0-9][\w.]*( ; .+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*")
    assert [requirement for requirement in requirements if not whole.fullmatch(requirement)] == []


@pytest.mark.parametrize("lock", NPM_LOCKS, ids=lambda lock: lock.parent.name)
def test_every_npm_package_has_a_hash_and_names_no_host(lock: Path) -> None:
    packages = json.loads(lock.read_text())["packages"]
    packages.pop("")
    assert packages
    # What comes in another package's file is under that package's hash.
    own = {name: package for name, package in packages.items() if not package.get("inBundle")}
    assert [name for name, package in own.items() if not package["integrity"].startswith("sha512-")] == []
    assert [name for name, package in packages.items() if package.keys() & {"resolved", "link"}] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_python_package_has_a_wheel_for_this_platform(lock: Path, tmp_path: Path) -> None:
    from uv import find_uv_bin  # noqa: PLC0415 - this test alone

    command = [find_uv_bin(), "pip", "install", "--dry-run", "--target", str(tmp_path), "--python", sys.executable]
    command += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_setup_installs_only_wheels_with_hashes() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", ".venv/.ready"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    installs = [line for line in done.stdout.splitlines() if re.search(r"pip (install|sync)", line)]
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
    (told,) = json.loads(packed)
    address = f"file:{evil / told['filename']}"
    (pins / "package.json").write_text(json.dumps({"name": "pins", "dependencies": {"evil": address}}))
    locked = {"version": "1.0.0", "resolved": address, "integrity": told["integrity"], "hasInstallScript": True}
    packages = {"": {"name": "pins", "dependencies": {"evil": address}}, "node_modules/evil": locked}
    (pins / "package-lock.json").write_text(json.dumps({"name": "pins", "lockfileVersion": 3, "packages": packages}))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert (installed(pins) / "evil" / "package.json").exists()
    assert not ran.exists()
    # It would have.
    subprocess.run([*find_npm(), "ci", "--no-audit", "--no-fund"], cwd=pins, capture_output=True, check=True)
    assert ran.exists()


def test_every_npm_install_ignores_scripts() -> None:
    sources = [path.read_text() for room in ("infra", "src") for path in (ROOT / room).rglob("*.py")]
    installs = [re.findall(r'"(?:ci|install)", "([^"]*)"', source) for source in sources if "*npm()" in source]
    assert sorted(installs) == [["--ignore-scripts"], ["--ignore-scripts", "--ignore-scripts"]]


def test_an_audit_without_network_fails_and_says_so() -> None:
    nowhere = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "npm_config_registry"), "http://127.0.0.1:9")
    locks = ("requirements/bootstrap.txt", "src/amberflo_workflows/console/package-lock.json")
    command, environment = [sys.executable, "-m", "tests.audit", *locks], {**os.environ, **nowhere}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done
    assert [line.partition(",")[0] for line in done.stdout.splitlines()] == [f"{lock}: NOT AUDITED" for lock in locks]
