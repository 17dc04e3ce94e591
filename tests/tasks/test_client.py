import io
import time
from typing import Any

import pytest

from amberflo_workflows.core import observability
from amberflo_workflows.tasks.amberflo.errors import AmberfloThrottled, AmberfloUnauthorized, AmberfloUnavailable
from tests.tasks.conftest import Steps


def _fault(**fault: Any) -> list[dict[str, Any]]:
    return [{"path": "/meters*", **fault}]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 429}, AmberfloThrottled),
        ({"kind": "status", "status": 401}, AmberfloUnauthorized),
        ({"kind": "status", "status": 403}, AmberfloUnauthorized),
        ({"kind": "wrong_key"}, AmberfloUnauthorized),
        ({"kind": "status", "status": 500}, AmberfloUnavailable),
        ({"kind": "status", "status": 503}, AmberfloUnavailable),
        ({"kind": "status", "status": 418}, AmberfloUnavailable),
        ({"kind": "drop"}, AmberfloUnavailable),
        ({"kind": "garbage"}, AmberfloUnavailable),
        ({"kind": "cut_off"}, AmberfloUnavailable),
    ],
    ids=lambda value: f"{value['kind']} {value.get('status', '')}" if isinstance(value, dict) else value.__name__,
)  # fmt: skip
def test_errors_are_classified_after_one_attempt(steps: Steps, fault: dict[str, Any], error: type[Exception]) -> None:
    steps.sandbox.set_faults(_fault(**fault))
    steps.sandbox.clear_requests()
    with pytest.raises(error) as error_info:
        steps.run("list_meters", {})
    assert "key-1" not in str(error_info.value)
    assert steps.sandbox.requests()["total"] <= 1


def test_waits_once_for_a_short_retry_after(steps: Steps) -> None:
    steps.sandbox.set_faults(_fault(kind="status", status=429, headers={"Retry-After": "1"}, times=1))
    started = time.monotonic()
    assert steps.run("list_meters", {})["statusCode"] == 200
    assert time.monotonic() - started >= 1


def test_a_retry_after_beyond_the_timeout_is_left_to_the_workflow(steps: Steps) -> None:
    steps.timeout_seconds = 3
    steps.sandbox.set_faults(_fault(kind="status", status=429, headers={"Retry-After": "4"}, times=1))
    with pytest.raises(AmberfloThrottled):
        steps.run("list_meters", {})


def test_a_response_too_large_to_read_is_a_413_with_advice(steps: Steps) -> None:
    steps.sandbox.set_faults(_fault(kind="bomb"))
    response = steps.run("list_meters", {})
    assert (response["statusCode"], "Request less" in response["body"]["message"]) == (413, True)


@pytest.mark.parametrize("kind", ["hang", "trickle"])
def test_a_slow_response_fails_before_the_state_times_out(steps: Steps, kind: str) -> None:
    steps.timeout_seconds = 2
    steps.sandbox.set_faults(_fault(kind=kind, seconds=4))
    started = time.monotonic()
    with pytest.raises(AmberfloUnavailable, match="TimeoutError"):
        steps.run("list_meters", {})
    assert time.monotonic() - started < steps.timeout_seconds


def test_logs_contain_neither_the_key_nor_a_body(
    steps: Steps, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    monkeypatch.setattr(observability.logger.handlers[0], "stream", log)
    steps.create_meter("secret-meter-name")
    steps.sandbox.set_faults(_fault(kind="wrong_key"))
    with pytest.raises(AmberfloUnauthorized):
        steps.run("list_meters", {})
    out, err = capsys.readouterr()
    out += log.getvalue()
    assert '"correlation_id":"run-1"' in out
    assert '"message":"amberflo call"' in out
    assert "key-1" not in out + err
    assert "secret-meter-name" not in out + err
