"""A reconciliation notices what breaks usage on its way, except where the ledger is wrong in the same way.

A receipt has the usage as the workflow received it. What breaks after that is at Amberflo and not in the ledger, or the
other way round, and the two differ. What breaks before, such as a message that is acknowledged and not sent, or a
redrive with a new identity, is in the ledger and at Amberflo alike: they agree, and only a comparison with what the
application itself has reported shows it. ``compared_with`` says which comparison with Amberflo's report is needed.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec
import pytest

from tests.mutants.conftest import ROOT
from tests.mutants.scenario import Outcome, run_scenario

_QUEUE: Final = "entrypoints/ingest_queue.py"
_SEND: Final = "tasks/send_usages.py"


class ReconciledMutant(NamedTuple):
    """A break of the source, and what Amberflo's report has to be compared with to notice it."""

    name: str
    file: str
    before: str
    after: str
    compared_with: Literal["ledger", "reported"]

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


RECONCILED_MUTANTS: Final = (
    ReconciledMutant(
        "a record is dropped after success",
        _SEND,
        "[usage.record for usage in batch]",
        "[usage.record for usage in batch[1:]]",
        "ledger",
    ),
    ReconciledMutant(
        "a record is sent with the time of the send",
        _SEND,
        "event_time=reported.event_time",
        "event_time=time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())",
        "ledger",
    ),
    ReconciledMutant(
        "a record is sent with a new time in its hour",
        _SEND,
        "event_time=reported.event_time",
        "event_time=f'{reported.event_time[:17]}{time.time_ns() % 60:02}Z'",
        "ledger",
    ),
    ReconciledMutant(
        "a record is sent with a new identity",
        _SEND,
        "event_id=reported.event_id",
        "event_id=str(time.time_ns())",
        "ledger",
    ),
    ReconciledMutant(
        "a tenant is left out of the request",
        _SEND,
        "[usage.record for usage in batch]",
        "[usage.record for usage in batch if usage.record.customer_id != 'tenant-c']",
        "ledger",
    ),
    ReconciledMutant(
        "usage counts without a receipt",
        "workflows/ingest_usage.asl.json",
        '"Default": "WriteReceipt"',
        '"Default": "WereUsagesRejected"',
        "ledger",
    ),
    ReconciledMutant(
        "a tenant is left out of the queue",
        _QUEUE,
        "in read_usages(record))",
        "in read_usages(record) if usage.reported.usage['tenantId'] != 'tenant-c')",
        "reported",
    ),
    ReconciledMutant(
        "messages are acknowledged before the send",
        _QUEUE,
        'in _process(event["Records"])]',
        'in _process(event["Records"]) if False]',
        "reported",
    ),
    ReconciledMutant(
        "a chunk has a new time in each delivery",
        "entrypoints/usage_message.py",
        "event_time=event.time)",
        "event_time=datetime.fromtimestamp(__import__('time').time() - 86_400, UTC).isoformat())",
        "reported",
    ),
    ReconciledMutant(
        "a redrive has a new identity",
        "src/amberflo_workflows/operate/rejected/redrive.py",
        "rejected_id=item.id)",
        "rejected_id=item.id, event_id=__import__('uuid').uuid4().hex)",
        "reported",
    ),
)


def _run_mutant(folder: Path, mutant: ReconciledMutant) -> Outcome:
    """Run the scenario in the copy of the package in ``folder``, with a break."""
    file = folder / mutant.file
    file.write_text(file.read_text().replace(mutant.before, mutant.after))
    inherited = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    result = subprocess.run(
        [sys.executable, "-m", "tests.mutants.scenario"],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(folder / "src"), "POWERTOOLS_SERVICE_NAME": "tests"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    # Metrics are written to the standard output, too.
    return msgspec.json.decode(result.stdout.splitlines()[-1], type=Outcome)


def test_the_document_lists_the_breaks() -> None:
    sides = {"ledger": "the ledger", "reported": "what was reported"}
    rows = [f"| {mutant.name} | `{mutant.file}` | {sides[mutant.compared_with]} |" for mutant in RECONCILED_MUTANTS]
    table = "\n".join(["| break | file | noticed by comparing Amberflo with |", "|---|---|---|", *rows])
    document = (ROOT / "docs" / "testing.md").read_text()
    assert f"<!-- reconciled mutants -->\n{table}\n<!-- /reconciled mutants -->" in document, table


def test_without_a_break_all_sums_agree() -> None:
    assert run_scenario() == Outcome([], [])


@pytest.mark.parametrize("mutant", RECONCILED_MUTANTS, ids=str)
def test_a_break_is_noticed(copy: Path, mutant: ReconciledMutant) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.before) == 1
    outcome = _run_mutant(copy, mutant)
    if mutant.compared_with == "ledger":
        assert outcome.ledger
    else:
        assert (outcome.ledger, bool(outcome.reported)) == ([], True)
