"""Each mutant is killed: the test that must notice its break fails. In the soak only, since it takes minutes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.mutants.conftest import ROOT
from tests.mutants.ledger import LEDGER
from tests.mutants.mutant import Mutant
from tests.mutants.sending import SENDING

MUTANTS: Final = (*SENDING, *LEDGER)
# The rarest break needs more than 300.
_HISTORIES: Final = 1_000
_ALL_PASSED: Final = 0
_TESTS_FAILED: Final = 1


def run_tests(folder: Path, tests: str) -> subprocess.CompletedProcess[str]:
    """Run tests of the copy in ``folder``, with the packages of this environment."""
    inherited = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    environment = {**inherited, "PYTHONPATH": str(folder / "src"), "METERING_HISTORIES": str(_HISTORIES)}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:randomly", "-p", "no:cacheprovider", tests],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_mutant_applies(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.before) == 1
    assert (ROOT / mutant.killed_by).is_file()


def test_the_document_lists_the_mutants() -> None:
    rows = [f"| {mutant.name} | `{mutant.file}` | `{mutant.killed_by}` |" for mutant in MUTANTS]
    table = "\n".join(["| break | file | test |", "|---|---|---|", *rows])
    assert f"<!-- mutants -->\n{table}\n<!-- /mutants -->" in (ROOT / "docs" / "testing.md").read_text(), table


@pytest.mark.skipif("METERING_SOAK" not in os.environ, reason="make soak runs the mutants")
@pytest.mark.parametrize("tests", sorted({mutant.killed_by for mutant in MUTANTS}))
def test_the_tests_pass_without_a_mutant(copy: Path, tests: str) -> None:
    result = run_tests(copy, tests)
    assert result.returncode == _ALL_PASSED, result.stdout


@pytest.mark.skipif("METERING_SOAK" not in os.environ, reason="make soak runs the mutants")
@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_mutant_is_killed(copy: Path, mutant: Mutant) -> None:
    file = copy / mutant.file
    file.write_text(file.read_text().replace(mutant.before, mutant.after))
    result = run_tests(copy, mutant.killed_by)
    assert result.returncode == _TESTS_FAILED, f"{mutant.name}: pytest ended with {result.returncode}\n{result.stdout}"
