"""mypy reads the types of those parts of CDK that our code imports."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.packages import ROOT

# mypy needs them for the types of the others.
INDIRECT = {"aws_cdk._jsii", "aws_cdk.interfaces.*"}


def _list_imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            # What has a capital letter is a class of the module.
            yield from (f"{node.module}.{alias.name}" for alias in node.names if alias.name.islower())


def test_the_followed_modules_of_cdk_are_those_that_are_imported() -> None:
    mypy = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    (skipped, followed) = (
        {name for item in mypy["overrides"] if item.get("follow_imports") == follow for name in item["module"]}
        for follow in ("skip", "normal")
    )
    assert skipped == {"aws_cdk.*"}
    files = [file for folder in mypy["files"] for file in _list_files(ROOT / folder)]
    imports = {name for file in files for name in _list_imports(file)}
    assert followed - INDIRECT == {name for name in imports if name.split(".")[0] == "aws_cdk"}


def _list_files(folder: Path) -> Iterator[Path]:
    """List the files of Python. The package's folders are links, which a glob does not follow."""
    for path in folder.iterdir():
        if path.is_dir():
            yield from _list_files(path)
        elif path.suffix == ".py":
            yield path
