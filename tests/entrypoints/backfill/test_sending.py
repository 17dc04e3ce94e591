from itertools import count
from typing import Any

import pytest

from amberflo_workflows.core.file_options import FileOptions
from amberflo_workflows.core.file_rows import read_rows
from amberflo_workflows.core.usage_file import parse_usages, read_layout
from amberflo_workflows.entrypoints import sending, workflows
from amberflo_workflows.entrypoints.backfill.sending import send_rows
from amberflo_workflows.entrypoints.sending import Destination
from amberflo_workflows.entrypoints.workflows import WorkflowResult


def test_an_interruption_after_any_chunk_loses_no_usage_of_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[list[str]] = []

    def run_workflow(_machine: str, data: dict[str, Any], _client: Any, **_: bool) -> WorkflowResult:
        sent.append([usage.event_id for usage in data["usages"]])
        body = {"data": {"accepted": len(data["usages"]), "rejected": []}}
        return WorkflowResult("arn", {"statusCode": 200, "body": body}, "", "")

    monkeypatch.setattr(workflows, "run_workflow", run_workflow)
    # One chunk at a time, so that they are sent in order.
    monkeypatch.setattr(sending, "PARALLEL_CHUNKS", 1)
    # A chunk has 300 usages, so it ends within a row.
    meters = {f"m{number}": f"c{number}" for number in range(7)}
    lines = [",".join(["tenantId", *meters.values()]), *(f"t,{','.join('1234567')}" for _ in range(200))]
    data = "\n".join(lines).encode()
    layout = read_layout(FileOptions("f.csv", "csv", meters=meters), [data])
    rows = list(read_rows([data[layout.rows_start :]], layout.rows_start, "csv"))
    everything = [usage.event_id for row in rows for usage in parse_usages(row, layout)]
    destination: Any = Destination("arn", "table", None, None)  # type: ignore[arg-type] # not called
    for number, chunk in zip(count(1), send_rows(rows, layout, destination), strict=False):
        before = {usage for chunk_usages in sent[:number] for usage in chunk_usages}
        later = {usage.event_id for row in rows if row.start >= chunk.end for usage in parse_usages(row, layout)}
        assert before | later == set(everything)
    assert (len(sent), [usage for chunk_usages in sent for usage in chunk_usages]) == (5, everything)
