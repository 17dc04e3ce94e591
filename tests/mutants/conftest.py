import shutil
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
# What the tests import and read.
_COPIED: Final = (
    "core",
    "docs",
    "entrypoints",
    "infra",
    "requirements",
    "src",
    "tasks",
    "tests",
    "workflows",
    "pyproject.toml",
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package and its tests. The links in ``src`` stay links, into the copy."""
    for name in _COPIED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "node_modules")
            shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path
