import shutil
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.infra.app import synth
from amberflo_workflows.infra.bundle import PACKAGE
from amberflo_workflows.infra.settings import Settings
from amberflo_workflows.local.assembly import PLACEHOLDER, compute_fingerprint, write_assembly
from amberflo_workflows.operate.errors import OperatorError

pytestmark = pytest.mark.long

SETTINGS = Settings(amberflo_base_url=PLACEHOLDER)
URL = "http://127.0.0.1:12345"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the sources."""
    for name in ("infra", "workflows", "core", "tasks", "entrypoints", "requirements"):
        shutil.copytree(PACKAGE / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(PACKAGE / "__init__.py", tmp_path / "__init__.py")
    return tmp_path


def test_a_change_of_any_source_changes_the_fingerprint(package: Path) -> None:
    files = [path for path in package.rglob("*") if path.is_file()]
    fingerprints = {compute_fingerprint(SETTINGS, package)}
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content + b"\n")
        fingerprints.add(compute_fingerprint(SETTINGS, package))
        path.unlink()
        if path.name != "__init__.py":
            fingerprints.add(compute_fingerprint(SETTINGS, package))
        path.write_bytes(content)
    packages = [path for path in files if path.name == "__init__.py"]
    assert len(fingerprints) == 1 + 2 * len(files) - len(packages)
    assert len(files) > 100
    assert compute_fingerprint(SETTINGS, package) in fingerprints


def test_another_source_changes_the_fingerprint_and_byte_code_does_not(package: Path) -> None:
    before = compute_fingerprint(SETTINGS, package)
    assert before == compute_fingerprint(SETTINGS)
    (package / "infra" / "new.pyc").write_bytes(b"")
    assert compute_fingerprint(SETTINGS, package) == before
    (package / "workflows" / "new.asl.json").write_text("{}")
    assert compute_fingerprint(SETTINGS, package) != before


@pytest.mark.parametrize(
    "change",
    [
        {"amberflo_base_url": "https://app.amberflo.io"},
        {"check_meter_names": False},
        {"log_retention_days": 7},
        {"event_sources": ("my.app",)},
    ],
)
def test_a_change_of_a_setting_changes_the_fingerprint(change: dict[str, Any]) -> None:
    assert compute_fingerprint(replace(SETTINGS, **change)) != compute_fingerprint(SETTINGS)


def test_what_cdk_reads_of_the_environment_changes_the_fingerprint() -> None:
    before = compute_fingerprint(SETTINGS, environment={"HOME": "/"})
    assert before == compute_fingerprint(SETTINGS, environment={"HOME": "/home"})
    assert before != compute_fingerprint(SETTINGS, environment={"CDK_CONTEXT_JSON": "{}"})


@pytest.mark.parametrize("name", ["aws-cdk-lib", "constructs", "jsii", "uv"])
def test_another_version_of_a_package_changes_the_fingerprint(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = compute_fingerprint(SETTINGS)
    installed = metadata.version
    monkeypatch.setattr(metadata, "version", lambda package: "0" if package == name else installed(package))
    assert compute_fingerprint(SETTINGS) != before


def test_an_assembly_from_the_cache_is_what_cdk_writes_for_the_sandbox(tmp_path: Path) -> None:
    direct = synth("local", tmp_path / "direct", replace(SETTINGS, amberflo_base_url=URL))
    cached = write_assembly(tmp_path / "cached", SETTINGS, URL)
    name = f"{SETTINGS.stack_name}.template.json"
    template = (cached / name).read_text()
    assert template == (direct / name).read_text()
    assert PLACEHOLDER not in template
    (asset,) = (path for path in direct.glob("asset.*") if path.is_dir())
    assert _list_files(cached / asset.name) == _list_files(asset)
    # Written again, for a sandbox at another address.
    other = write_assembly(tmp_path / "cached", SETTINGS, "http://127.0.0.1:54321")
    assert (other / name).read_text() == template.replace(URL, "http://127.0.0.1:54321")


def test_a_failed_synthesis_says_why_and_stores_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("JSII_NODE", "no-node")
    with pytest.raises(OperatorError, match="JSII_NODE is 'no-node', which was not found"):
        write_assembly(tmp_path / "out", SETTINGS, URL)
    assert not list(tmp_path.glob("**/assembly-*"))


def _list_files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
