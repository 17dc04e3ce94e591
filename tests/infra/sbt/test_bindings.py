import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from amberflo_workflows.infra.node import find_npm

COMMAND = [sys.executable, "-m", "amberflo_workflows.infra.sbt.bindings"]


def test_the_bindings_are_a_typed_package_under_a_name_of_our_own(bindings: Path) -> None:
    assert bindings.name == "amberflo_sbt-0.5.25-py3-none-any.whl"
    with zipfile.ZipFile(bindings) as archive:
        names = archive.namelist()
        code = archive.read("amberflo_sbt/__init__.py").decode()
    assert "amberflo_sbt/py.typed" in names
    assert not [name for name in names if name.startswith(("cdklabs", "sbt_aws"))]
    assert all(f"class {name}(" in code for name in ("ControlPlane", "CoreApplicationPlane", "IMetering"))


def test_they_can_be_made_for_another_build_of_sbt(tmp_path: Path) -> None:
    pack = [*find_npm(), "pack", "@cdklabs/sbt-aws@0.5.25"]
    done = subprocess.run(pack, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (released,) = tmp_path.glob("*.tgz")
    built = _renumbered(released, tmp_path / "built.tgz", "0.6.7")
    done = subprocess.run(
        [*COMMAND, "--package", str(built), "--out", str(tmp_path / "out")],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["amberflo_sbt-0.6.7-py3-none-any.whl"]


def _renumbered(released: Path, built: Path, version: str) -> Path:
    """The same package with another version, as a build of a branch is."""
    with tarfile.open(released) as source, tarfile.open(built, "w:gz") as target:
        for member in source:
            content = source.extractfile(member)
            data = content.read() if content else b""
            if member.name in {"package/package.json", "package/.jsii"}:
                data = json.dumps(json.loads(data) | {"version": version}).encode()
                member.size = len(data)
            target.addfile(member, io.BytesIO(data))
    return built


def test_a_package_that_is_not_there_is_told() -> None:
    done = subprocess.run([*COMMAND, "--package", "nowhere.tgz"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "There is no file nowhere.tgz" in done.stderr


def test_a_registry_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    unreachable = {"npm_config_registry": "http://127.0.0.1:9", "npm_config_fetch_retries": "0"}
    done = subprocess.run(
        [*COMMAND, "--out", str(tmp_path / "out")],
        env={**os.environ, **unreachable, "XDG_CACHE_HOME": str(tmp_path), "npm_config_cache": str(tmp_path / "npm")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "The bindings could not be made" in done.stderr
    assert "ECONNREFUSED" in done.stderr
    assert not list(tmp_path.glob("amberflo-workflows/*")), "a half-made thing is kept"
