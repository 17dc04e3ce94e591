"""The tests that ``docs/threats.md`` names exist."""

import re

from tests.packages import ROOT

NAMED_TESTS = re.findall(r"`(tests/\S+?)(?:::(\w+))?`", (ROOT / "docs" / "threats.md").read_text())


def test_every_named_test_exists() -> None:
    assert len(NAMED_TESTS) > 30
    missing = [
        f"{path}::{name}"
        for path, name in NAMED_TESTS
        if not name or f"\ndef {name}(" not in ((ROOT / path).read_text() if (ROOT / path).is_file() else "")
    ]
    assert missing == []


def test_every_attacker_test_file_is_named() -> None:
    files = {path.name for path in (ROOT / "tests" / "attackers").glob("test_*.py")} - {"test_threats.py"}
    assert files == {path.rpartition("/")[2] for path, _ in NAMED_TESTS if path.startswith("tests/attackers/")}
