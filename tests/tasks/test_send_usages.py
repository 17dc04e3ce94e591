"""What the outcome of a chunk and its metric say, and requests of which Amberflo rejects one."""

import json
from collections.abc import Iterator

import pytest

from amberflo_workflows.core.observability import REJECTED
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


def test_the_rejected_usages_of_a_chunk_are_counted_for_the_alarm(
    steps: Steps, capsys: pytest.CaptureFixture[str]
) -> None:
    steps.create_meter()
    capsys.readouterr()
    invalid = [build_usage(number, meterValue="two") for number in (1, 2)]
    for usages in ([build_usage(0), *invalid], [build_usage(0)]):
        steps.run("send_usages", {"usages": usages})
    assert [json.loads(line)[REJECTED] for line in capsys.readouterr().out.splitlines()] == [2]


def test_a_response_is_awaited_while_the_state_has_time(steps: Steps) -> None:
    steps.create_meter()
    steps.sandbox.set_faults([{"path": "/ingest", "kind": "delay", "seconds": 0.5}])
    assert steps.run("send_usages", {"usages": [build_usage()]})["counted"] == ["e0"]
    assert fetch_total(steps) == 2
