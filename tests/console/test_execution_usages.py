"""The usages on the page of an execution."""

from dataclasses import replace

from amberflo_workflows.console.execution.usages import build_usage_rows
from tests.operate.executions.histories import History


def test_a_number_is_formatted_and_anything_else_is_as_reported() -> None:
    values = [123_456_789_012_345, 0.1, 10**400, True, "1,5", None, [1]]
    usages = [{"eventId": "e", "eventTime": "", "index": 0, "usage": {"meterValue": value}} for value in values]
    history = History()
    history.add("ExecutionStarted", input={"usages": usages})
    execution = history.build_execution()
    rows = build_usage_rows(replace(execution, summary=replace(execution.summary, workflow="ingest_usage")))
    assert [row.value for row in rows] == ["123,456,789,012,345", "0.1", str(10**400), "true", "1,5", "", "[1]"]
