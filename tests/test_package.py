"""The wheel in an environment of its own, isolated from this repository."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import amberflo_workflows
from amberflo_workflows.infra.operations import OPERATIONS
from tests.packages import ROOT, build_own_wheel, create_environment, run_in_environment

pytestmark = pytest.mark.long

# The example for SBT needs the bindings and is tested in tests/infra/sbt.
EXAMPLES = sorted(path.parent.name for path in ROOT.glob("examples/*/app.py") if "sbt" not in path.parent.name)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_own_wheel(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The interpreter of a new environment with the wheel and the dependencies of a CDK app."""
    folder = tmp_path_factory.mktemp("environment")
    yield create_environment(folder, f"amberflo-workflows[cdk] @ {wheel.as_uri()}")
    shutil.rmtree(folder)


def test_the_wheel_has_all_folders_as_plain_files_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.startswith("amberflo_workflows/")}
        assert len(archive.read("amberflo_workflows/requirements/lambda.txt")) > 1_000
    for name in ("workflows", "tasks", "entrypoints", "infra", "local", "emit"):
        folder = ROOT / "src" / "amberflo_workflows" / name
        files = {
            path for path in folder.rglob("*") if path.suffix in {".py", ".json"} and "__pycache__" not in path.parts
        }
        assert {f"amberflo_workflows/{name}/{path.relative_to(folder).as_posix()}" for path in files} <= names
    assert "amberflo_workflows/py.typed" in names
    assert [name for name in names if "/requirements/" in name] == ["amberflo_workflows/requirements/lambda.txt"]


def test_the_wheel_is_the_same_with_and_without_an_sdist(wheel: Path, tmp_path: Path) -> None:
    direct = build_own_wheel(tmp_path, through_sdist=False)
    assert _read_members(wheel) == _read_members(direct)


def _read_members(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_documents_install_the_wheel_of_this_version(wheel: Path) -> None:
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    names = {name for page in pages for name in re.findall(r"amberflo_workflows-[\w.-]+\.whl", page.read_text())}
    assert names == {wheel.name}


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_synthesises_outside_the_repository(python: Path, tmp_path: Path, example: str) -> None:
    shutil.copy(ROOT / "examples" / example / "app.py", tmp_path / "app.py")
    result = run_in_environment(python, tmp_path, "app.py")
    assert result.returncode == 0, result.stderr
    template = json.loads((tmp_path / "out" / "MyStack.template.json").read_text())
    types = [resource["Type"] for resource in template["Resources"].values()]
    assert types.count("AWS::StepFunctions::StateMachine") == len(OPERATIONS)
    (bundle,) = {
        path.parent
        for path in (tmp_path / "out").glob("asset.*/amberflo_workflows")
        if (path / "tasks" / "send_usages.py").exists()
    }
    assert (bundle / "msgspec").is_dir()


def test_the_package_exports_its_constructs_and_version(python: Path, tmp_path: Path) -> None:
    assert amberflo_workflows.__all__ == ["AmberfloMetering", "Monitoring", "SbtAmberfloMetering", "__version__"]
    code = (
        "import sys, amberflo_workflows as package; assert 'aws_cdk' not in sys.modules; "
        "print(package.__version__, package.AmberfloMetering.__name__, package.Monitoring.__name__); package.nothing"
    )
    result = run_in_environment(python, tmp_path, "-c", code)
    assert result.stdout.split() == [amberflo_workflows.__version__, "AmberfloMetering", "Monitoring"]
    assert "module 'amberflo_workflows' has no attribute 'nothing'" in result.stderr


def test_without_cdk_the_error_says_what_to_install(wheel: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(wheel)!r}); from amberflo_workflows import AmberfloMetering"
    result = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert result.stderr.splitlines()[-1].endswith("is not installed: pip install 'amberflo-workflows[cdk]'"), (
        result.stderr
    )


def test_without_the_bindings_the_error_says_how_to_build_them(python: Path, tmp_path: Path) -> None:
    result = run_in_environment(python, tmp_path, "-c", "from amberflo_workflows import SbtAmberfloMetering")
    assert (
        "SbtAmberfloMetering needs amberflo_sbt, which is not installed: build it with: metering sbt-bindings"
        in (result.stderr.splitlines()[-1])
    )
