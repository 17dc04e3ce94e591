import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from amberflo_workflows.infra.node import find_npm
from tests.infra.sbt.stand_in import RELEASE, install_stand_in

COMMAND = [sys.executable, "-m", "amberflo_workflows.infra.sbt.bindings"]


def test_the_bindings_are_a_typed_package_with_our_own_name(bindings: Path) -> None:
    assert bindings.name == "amberflo_sbt-0.5.25-py3-none-any.whl"
    with zipfile.ZipFile(bindings) as archive:
        names = archive.namelist()
        code = archive.read("amberflo_sbt/__init__.py").decode()
    assert "amberflo_sbt/py.typed" in names
    assert not [name for name in names if name.startswith(("cdklabs", "sbt_aws"))]
    assert all(f"class {name}(" in code for name in ("ControlPlane", "CoreApplicationPlane", "IMetering"))


def test_builds_bindings_for_another_build_of_sbt(tmp_path: Path) -> None:
    """Without npm and jsii, which the fixture ``bindings`` has run already; with them if ``METERING_SOAK=1``."""
    variables, released = {"JSII_NODE": str(install_stand_in(tmp_path / "node"))}, _pack(tmp_path / "sbt.tgz")
    if "METERING_SOAK" in os.environ:
        variables, released = {}, _download(tmp_path)
    package = _change_version(released, tmp_path / "built.tgz", "0.6.7")
    result = subprocess.run(
        [*COMMAND, "--package", str(package), "--out", str(tmp_path / "out")],
        env={**os.environ, **variables, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["amberflo_sbt-0.6.7-py3-none-any.whl"]


def _pack(package: Path) -> Path:
    """Write a package with the files that the stand-in reads."""
    with tarfile.open(package, "w:gz") as target:
        for name, content in RELEASE.items():
            data = json.dumps(content).encode()
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            target.addfile(member, io.BytesIO(data))
    return package


def _download(folder: Path) -> Path:
    pack = [*find_npm(), "pack", "@cdklabs/sbt-aws@0.5.25"]
    result = subprocess.run(pack, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return folder / "cdklabs-sbt-aws-0.5.25.tgz"


def _change_version(package: Path, copy: Path, version: str) -> Path:
    """Copy a package with another version, as for a build of a branch."""
    with tarfile.open(package) as source, tarfile.open(copy, "w:gz") as target:
        for member in source:
            content = source.extractfile(member)
            data = content.read() if content else b""
            if member.name in {"package/package.json", "package/.jsii"}:
                data = json.dumps(json.loads(data) | {"version": version}).encode()
                member.size = len(data)
            target.addfile(member, io.BytesIO(data))
    return copy


def test_a_missing_package_is_an_error() -> None:
    result = subprocess.run([*COMMAND, "--package", "nowhere.tgz"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert "The file nowhere.tgz was not found" in result.stderr


def test_an_unreachable_registry_is_an_error(tmp_path: Path) -> None:
    unreachable = {"npm_config_registry": "http://127.0.0.1:9", "npm_config_fetch_retries": "0"}
    result = subprocess.run(
        [*COMMAND, "--out", str(tmp_path / "out")],
        env={**os.environ, **unreachable, "XDG_CACHE_HOME": str(tmp_path), "npm_config_cache": str(tmp_path / "npm")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "The bindings could not be built" in result.stderr
    assert "ECONNREFUSED" in result.stderr
    assert not list(tmp_path.glob("amberflo-workflows/*")), "an incomplete build is cached"
