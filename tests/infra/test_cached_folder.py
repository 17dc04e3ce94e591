import itertools
import os
import time
from pathlib import Path

import pytest

from amberflo_workflows.infra.cached_folder import MAX_UNUSED_SECONDS, InputChanged, get_or_build


def _write(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "file").write_text("content")


def test_a_folder_is_built_once_for_each_fingerprint(tmp_path: Path) -> None:
    built: list[Path] = []

    def build(folder: Path) -> None:
        built.append(folder)
        _write(folder)

    fingerprints = iter(("a", "a", "b", "b", "a"))
    folders = [get_or_build(tmp_path, "kind", lambda: next(fingerprints), build) for _ in range(3)]
    assert folders[0] == folders[2] != folders[1]
    assert len(built) == 2
    assert {(folder / "file").read_text() for folder in folders} == {"content"}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_whose_input_changes_while_it_is_built_is_not_stored(tmp_path: Path) -> None:
    fingerprints = itertools.count()
    with pytest.raises(InputChanged, match="changed while they were used"):
        get_or_build(tmp_path, "kind", lambda: str(next(fingerprints)), _write)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_nobody_used_for_long_is_deleted_and_others_stay(tmp_path: Path) -> None:
    for age, name in enumerate(("bundle-old", "assembly-old", "building-old", "other-old", "bundle-new")):
        (tmp_path / name).mkdir()
        if name.endswith("old"):
            old = time.time() - MAX_UNUSED_SECONDS - 1 - age
            os.utime(tmp_path / name, (old, old))
    get_or_build(tmp_path, "kind", lambda: "a", _write)
    assert {path.name for path in tmp_path.iterdir()} == {"other-old", "bundle-new", "kind-a"}
