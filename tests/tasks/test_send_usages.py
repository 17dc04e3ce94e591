"""What a chunk's outcome and its metrics say, and requests of which Amberflo rejects one."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from amberflo_workflows.sandbox.client import SandboxClient
from amberflo_workflows.sandbox.settings import SandboxSettings
from amberflo_workflows.sandbox.testing import running_sandbox
from amberflo_workflows.tasks.amberflo.errors import AmberfloBatchRejected
from tests.tasks.caches import clear_caches
from tests.tasks.conftest import Steps
from tests.tasks.usages import build_usage, fetch_total


@pytest.fixture
def strict_sandbox(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxClient]:
    """A sandbox that rejects a dimension with a slash, which our own checks accept."""
    del steps
    with running_sandbox(api_key="key-1", settings=SandboxSettings(strict=True)) as sandbox:
        for name in ("AMBERFLO_BASE_URL", "AMBERFLO_INGEST_URL"):
            monkeypatch.setenv(name, sandbox.url)
        clear_caches()
        sandbox.create_meters("api-calls")
        yield sandbox


def _read_metrics(output: str) -> dict[str, tuple[float, str]]:
    """Return the values and units of the metrics that a step wrote."""
    metrics: dict[str, tuple[float, str]] = {}
    for line in output.splitlines():
        document = json.loads(line)
        for directive in document["_aws"]["CloudWatchMetrics"]:
            metrics |= {
                metric["Name"]: (sum(document[metric["Name"]]), metric["Unit"]) for metric in directive["Metrics"]
            }
    return metrics


@pytest.mark.parametrize("position", [0, 100, 249])
def test_a_record_that_amberflo_rejects_fails_the_chunk_in_whichever_request_it_is(
    steps: Steps, strict_sandbox: SandboxClient, position: int
) -> None:
    usages = [build_usage(number) for number in range(250)]
    usages[position] = build_usage(position, region="a/b")
    with pytest.raises(AmberfloBatchRejected):
        steps.run("send_usages", {"usages": usages})
    # Those of the other requests are counted already, and once if they are sent again.
    del usages[position]
    steps.run("send_usages", {"usages": usages})
    assert strict_sandbox.totals("api-calls") == {"t1": 2 * 249}


@pytest.mark.usefixtures("strict_sandbox")
def test_a_single_record_that_amberflo_rejects_has_its_place_in_the_chunk(steps: Steps) -> None:
    usage = build_usage(3, region="a/b", uniqueId="u-1")
    result = steps.run("send_usages", {"usages": [usage], "first": 7})
    (rejected,) = result["rejected"]
    assert (result["counted"], rejected["place"], rejected["index"]) == ([], 7, 3)
    assert (rejected["uniqueId"], rejected["tenantId"], rejected["meterApiName"]) == ("u-1", "t1", "api-calls")


def test_a_row_that_cannot_be_read_is_rejected_with_its_own_reason(steps: Steps) -> None:
    row = {"eventId": "f:1", "eventTime": "", "index": 0, "usage": "a;b", "reason": "the row has 2 fields"}
    assert [usage["reason"] for usage in steps.run("send_usages", {"usages": [row]})["rejected"]] == [row["reason"]]


def test_counted_and_rejected_usages_are_counted_in_metrics(steps: Steps, capsys: pytest.CaptureFixture[str]) -> None:
    steps.create_meter()
    capsys.readouterr()
    usages: list[Any] = [build_usage(0), build_usage(1), build_usage(2, meterValue="two")]
    steps.run("send_usages", {"usages": usages})
    metrics = _read_metrics(capsys.readouterr().out)
    assert (metrics["UsagesCounted"], metrics["UsagesRejected"]) == ((2, "Count"), (1, "Count"))


def test_a_response_is_awaited_while_the_state_has_time(steps: Steps) -> None:
    steps.create_meter()
    steps.sandbox.set_faults([{"path": "/ingest", "kind": "delay", "seconds": 0.5}])
    assert steps.run("send_usages", {"usages": [build_usage()]})["counted"] == ["e0"]
    assert fetch_total(steps) == 2
