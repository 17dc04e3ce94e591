"""Check that names and texts use the vocabulary of CONTRIBUTING.md; run by ``make lint``.

Prints each finding as ``path:line: word`` and exits with 1 if there are any.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
# Words that say how a value came about, not what it is: neither names nor parts of names.
VAGUE_WORDS: Final = frozenset(
    {"found", "given", "told", "made", "wanted", "asked", "meant", "kept", "mended", "mending"}
)
# Vague only as a complete name: `one_attempt` says something.
VAGUE_NAMES: Final = frozenset({"one", "ones"})
# What was not found is a state that HTTP and AWS have a name for.
ALLOWED: Final = re.compile(r"not_?found", re.IGNORECASE)
ODD_TEXT: Final = re.compile(r"\b(therein|anew|mend|mends|mended|mending|hence|beside)\b", re.IGNORECASE)
TEXT_SUFFIXES: Final = frozenset({".py", ".md", ".html", ".js", ".css", ".svg", ".toml", ".json", ".txt", ""})
# Written by others, or the list of the words themselves.
EXCLUDED: Final = frozenset({"CONTRIBUTING.md", "LICENSE", "tools/vocabulary.py", "requirements", "package-lock.json"})


def text_files() -> Iterator[Path]:
    """The text files that git tracks or would add, relative to the root, without links and files of others."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - whichever git the developer uses
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for path in map(Path, listing.splitlines()):
        is_excluded = {path.as_posix(), path.name, path.parts[0]} & EXCLUDED
        is_file = (ROOT / path).is_file() and not (ROOT / path).is_symlink()
        if path.suffix in TEXT_SUFFIXES and is_file and not is_excluded:
            yield path


def identifiers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Names of variables, arguments, functions, classes and attributes, each with its line, but not imported names."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported = {alias.asname or alias.name for node in imports for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in imported:
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def is_vague(name: str) -> bool:
    """Whether a name is, or has in it, a word that does not say what the value is."""
    if name.startswith("test_"):
        return False
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", ALLOWED.sub("", name))
    return name.strip("_") in VAGUE_NAMES or not VAGUE_WORDS.isdisjoint(word.lower() for word in words)


def findings() -> Iterator[str]:
    """Each vague name and each odd word of the repository."""
    for path in text_files():
        text = (ROOT / path).read_text()
        if path.suffix == ".py":
            for line, name in sorted(set(identifiers(ast.parse(text)))):
                if is_vague(name):
                    yield f"{path}:{line}: {name}"
        for number, line_text in enumerate(text.splitlines(), 1):
            for match in ODD_TEXT.finditer(line_text):
                yield f"{path}:{number}: {match[0]}"


def repeated_classes() -> Iterator[str]:
    """Each public class name that stands for two things in the package."""
    places: dict[str, list[str]] = {}
    for path in text_files():
        if path.suffix == ".py" and path.parts[0] not in {"tests", "examples", "tools"}:
            for node in ast.walk(ast.parse((ROOT / path).read_text())):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places.setdefault(node.name, []).append(f"{path}:{node.lineno}")
    for name, where in places.items():
        if len(where) > 1:
            yield f"{where[0]}: class {name} is also in {', '.join(where[1:])}"


def main() -> int:
    """Print the findings; 1 if there are any."""
    lines = [*findings(), *repeated_classes()]
    for line in lines:
        print(line)
    if lines:
        print(f"{len(lines)} names or words that CONTRIBUTING.md replaces; see its vocabulary.")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
