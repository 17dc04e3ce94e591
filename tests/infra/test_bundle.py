import hashlib
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from amberflo_workflows.infra.bundle import bundle
from amberflo_workflows.infra.cached_folder import is_intact
from amberflo_workflows.infra.settings import Runtime

TASKS = sorted(Path(__file__).parents[2].joinpath("tasks").glob("*.py"))
HANDLERS = [
    *(f"tasks.{path.stem}" for path in TASKS if "\ndef handler(" in path.read_text()),
    "entrypoints.api",
    "entrypoints.ingest_queue",
    "entrypoints.backfill.send_range",
    "entrypoints.replay.send_usages_again",
]


@pytest.fixture(scope="module")
def local_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundle(Runtime.for_this_machine(), tmp_path_factory.mktemp("bundles"))


def _hash_files(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_there_are_thirty_three_functions() -> None:
    assert len(HANDLERS) == 33


@pytest.mark.parametrize("module", HANDLERS)
def test_a_handler_needs_only_what_lambda_provides(local_bundle: Path, module: str) -> None:
    # Only the bundle can be imported. boto3, which Lambda provides, is not imported before the first call.
    code = (
        f"import sys; sys.path[:0] = [{str(local_bundle)!r}]; "
        f"import amberflo_workflows.{module} as m; assert callable(m.handler); "
        "print(m.__file__); print('aws_cdk' in sys.modules)"
    )
    environment = {"POWERTOOLS_SERVICE_NAME": "x"}
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        str(local_bundle / f"amberflo_workflows/{module.replace('.', '/')}.py"),
        "False",
    ]


def test_the_bundle_has_the_time_zones_that_lambda_does_not_have(local_bundle: Path) -> None:
    code = (
        f"import sys; sys.path[:0] = [{str(local_bundle)!r}]; import zoneinfo; zoneinfo.reset_tzpath(to=[]); "
        "from amberflo_workflows.core.file_times import TimeOptions, parse_file_time; "
        "print(parse_file_time('2026-07-01T02:00:00', TimeOptions('', 'Europe/Berlin')).millis)"
    )
    result = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert (result.stdout.strip(), result.stderr) == ("1782864000000", "")


def test_the_bundle_has_byte_code_for_each_of_our_files_and_no_infrastructure(local_bundle: Path) -> None:
    own = local_bundle / "amberflo_workflows"
    sources = list(own.rglob("*.py"))
    tag = sys.implementation.cache_tag
    assert [path for path in sources if not (path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc").exists()] == []
    assert {path.name for path in own.iterdir() if path.is_dir()} == {"__pycache__", "core", "tasks", "entrypoints"}
    assert not (local_bundle / Path(boto3.__file__).parent.name).exists()


def test_the_same_input_gives_the_same_bundle(local_bundle: Path, tmp_path: Path) -> None:
    second_bundle = bundle(Runtime.for_this_machine(), tmp_path)
    assert second_bundle.parent.name == local_bundle.parent.name
    assert _hash_files(second_bundle) == _hash_files(local_bundle)


def test_a_bundle_for_another_architecture_has_its_binaries(tmp_path: Path) -> None:
    for architecture, platform in (("arm64", "aarch64"), ("x86_64", "x86_64")):
        folder = bundle(Runtime("3.13", architecture), tmp_path)
        binaries = [path.name for path in folder.rglob("*.so")]
        assert binaries
        assert all("313" in name and platform in name for name in binaries)
        assert not (folder / "bootstrap").exists()


def test_everybody_can_read_a_bundle_whatever_the_umask(tmp_path: Path) -> None:
    # In a process of its own, since a umask is that of the complete process.
    code = (
        "import os, sys; from pathlib import Path; os.umask(0o077); "
        "from amberflo_workflows.infra.bundle import bundle; from amberflo_workflows.infra.settings import Runtime; "
        "print(bundle(Runtime.for_this_machine(), Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    folder = Path(result.stdout.strip())
    modes = {path.relative_to(folder): stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
    folders = {path for path in modes if (folder / path).is_dir()}
    assert {modes[path] for path in folders} == {0o755}
    executable = {path for path in modes.keys() - folders if modes[path] == 0o755}
    assert Path("bootstrap") in executable
    assert {modes[path] for path in modes.keys() - folders - executable} == {0o644}


DAMAGES: dict[str, Callable[[Path], object]] = {
    "restricted": lambda entry: (entry / "content" / "msgspec" / "json.py").chmod(0o640),
    "deleted": lambda entry: (entry / "content" / "msgspec" / "json.py").unlink(),
    "changed": lambda entry: (entry / "content" / "msgspec" / "json.py").write_text(""),
    "added": lambda entry: (entry / "content" / "added.py").write_text(""),
    "without digest": lambda entry: (entry / "digest").unlink(),
}


@pytest.fixture
def entry(local_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the bundle in a cache of its own."""
    return Path(shutil.copytree(local_bundle.parent, tmp_path / "cache" / local_bundle.parent.name))


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_to_a_bundle_in_the_cache_is_noticed(entry: Path, damage: str) -> None:
    assert is_intact(entry)
    DAMAGES[damage](entry)
    assert not is_intact(entry)


def test_a_damaged_bundle_in_the_cache_is_built_again(entry: Path, local_bundle: Path) -> None:
    DAMAGES["restricted"](entry)
    assert bundle(Runtime.for_this_machine(), entry.parent) == entry / "content"
    assert is_intact(entry)
    assert _hash_files(entry) == _hash_files(local_bundle.parent)
    assert list(entry.parent.iterdir()) == [entry]


def test_an_intact_bundle_in_the_cache_is_not_built_again(entry: Path) -> None:
    first = entry.stat().st_ino
    assert bundle(Runtime.for_this_machine(), entry.parent) == entry / "content"
    assert entry.stat().st_ino == first
