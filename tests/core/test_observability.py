"""The metric that Lambdas write to their logs, in the form that CloudWatch reads."""

import json
from typing import Any

import pytest

from amberflo_workflows.core.observability import count_rejected


def _read_metrics(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_rejected_usage_is_counted_for_the_deployment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOYMENT_NAME", "Stack/Metering")
    count_rejected(3)
    (line,) = _read_metrics(capsys)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive == {
        "Namespace": "AmberfloWorkflows",
        "Dimensions": [["deployment"]],
        "Metrics": [{"Name": "Rejected", "Unit": "Count"}],
    }
    assert (line["deployment"], line["Rejected"]) == ("Stack/Metering", 3)


def test_without_a_deployment_there_is_no_empty_dimension(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEPLOYMENT_NAME", raising=False)
    count_rejected(1)
    (line,) = _read_metrics(capsys)
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [[]]


def test_nothing_rejected_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    # CloudWatch charges for a metric in each hour that has a value, also if it is zero.
    count_rejected(0)
    assert capsys.readouterr().out == ""
