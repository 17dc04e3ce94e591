import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from amberflo_workflows.tasks.amberflo import config, meter_names
from amberflo_workflows.tasks.amberflo.client import AmberfloClient
from amberflo_workflows.tasks.amberflo.errors import AmberfloThrottled, AmberfloUnauthorized, AmberfloUnavailable
from tests.tasks.conftest import Steps

LIST_FAULT = {"method": "GET", "path": "/meters"}
FAULTS = [
    ({"kind": "status", "status": 429}, AmberfloThrottled),
    ({"kind": "status", "status": 503}, AmberfloUnavailable),
    ({"kind": "status", "status": 404}, AmberfloUnavailable),
    ({"kind": "status", "status": 400}, AmberfloUnavailable),
    ({"kind": "status", "status": 200, "body": "{}"}, AmberfloUnavailable),
    ({"kind": "status", "status": 200, "body": ""}, AmberfloUnavailable),
    ({"kind": "wrong_key"}, AmberfloUnauthorized),
    ({"kind": "drop"}, AmberfloUnavailable),
    ({"kind": "garbage"}, AmberfloUnavailable),
    ({"kind": "cut_off"}, AmberfloUnavailable),
    ({"kind": "bomb"}, AmberfloUnavailable),
    ({"kind": "redirect"}, AmberfloUnavailable),
    ({"kind": "hang", "seconds": 3}, AmberfloUnavailable),
    ({"kind": "trickle"}, AmberfloUnavailable),
]


def _usage(name: Any, number: int = 0, **fields: Any) -> dict[str, Any]:
    usage = {"tenantId": "t", "meterApiName": name, "meterValue": 2, **fields}
    event_time = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"eventId": f"{name}-{number}", "eventTime": event_time, "index": number, "usage": usage}


def _send(steps: Steps, *names: Any) -> Any:
    return steps.run("send_usages", {"usages": [_usage(name, number) for number, name in enumerate(names)]})


def _count_calls(steps: Steps) -> dict[str, int]:
    """The successful calls to Amberflo by method and path."""
    return {f"{call['method']} {call['path']}": call["count"] for call in steps.sandbox.requests()["counts"]}


@pytest.fixture
def expired(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request finds an expired list, and attempts to read a newer one."""
    monkeypatch.setattr(meter_names, "METER_LIST_SECONDS", 0.0)
    monkeypatch.setattr(meter_names, "RETRY_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def short_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter_names, "MIN_INTERVAL_SECONDS", 0.01)


def test_usage_without_a_meter_is_rejected_and_the_rest_is_counted(steps: Steps) -> None:
    steps.create_meter("api-calls")
    sent = _send(steps, "api-calls", "api-cals", "api-calls", "nothing-like-it")
    assert sent["counted"] == ["api-calls-0", "api-calls-2"]
    assert [(usage["place"], usage["meterApiName"]) for usage in sent["rejected"]] == [
        (1, "api-cals"),
        (3, "nothing-like-it"),
    ]
    assert "there is no meter 'api-cals'; did you mean 'api-calls'?" in sent["rejected"][0]["reason"]
    assert steps.sandbox.requests()["records"] == 2


def test_rejected_usage_is_in_the_order_of_the_chunk(steps: Steps) -> None:
    usages = [_usage("x", 0), _usage("x", 1, meterValue="two"), _usage("x", 2)]
    sent = steps.run("send_usages", {"usages": usages, "first": 7})
    assert [usage["place"] for usage in sent["rejected"]] == [7, 8, 9]


def test_a_request_with_only_unknown_names_sends_nothing(steps: Steps) -> None:
    assert len(_send(steps, "x", "y")["rejected"]) == 2
    assert _count_calls(steps) == {"GET /meters": 1}


def test_the_list_is_read_once_for_many_requests(steps: Steps) -> None:
    steps.create_meter("api-calls")
    steps.sandbox.clear_requests()
    for number in range(20):
        steps.run("send_usages", {"usages": [_usage("api-calls", number)]})
    assert _count_calls(steps) == {"GET /meters": 1, "POST /ingest": 20}


def test_a_list_is_used_for_a_minute() -> None:
    assert config.METER_LIST_SECONDS == 60


def test_a_meter_that_was_just_created_is_known(steps: Steps) -> None:
    for number in range(5):
        name = f"meter-{number}"
        assert len(_send(steps, name)["rejected"]) == 1
        steps.create_meter(name)
        assert _send(steps, name) == {"counted": [f"{name}-0"], "rejected": [], "rejectedPlaces": []}


@pytest.mark.usefixtures("expired")
def test_usage_of_a_deleted_meter_is_rejected_after_the_list_expires(steps: Steps) -> None:
    meter = steps.create_meter("api-calls", lockingStatus="deprecated")
    assert _send(steps, "api-calls")["rejected"] == []
    steps.run("delete_meter", {"meterId": meter["id"]})
    assert len(_send(steps, "api-calls")["rejected"]) == 1


@pytest.mark.usefixtures("expired")
def test_a_request_reads_the_list_at_most_once(steps: Steps) -> None:
    for reads in range(1, 4):
        _send(steps, *(f"x-{number}" for number in range(100)))
        assert _count_calls(steps) == {"GET /meters": reads}


def test_reads_for_unknown_names_have_an_interval(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter_names, "MIN_INTERVAL_SECONDS", 0.3)
    started = time.monotonic()
    for _ in range(3):
        assert len(_send(steps, "x")["rejected"]) == 1
    assert time.monotonic() - started >= 0.6


@pytest.mark.parametrize("name", ["api calls", "größe", "a/b"])
def test_a_name_that_the_api_does_not_create_is_rejected_without_another_read(steps: Steps, name: str) -> None:
    steps.create_meter("api-calls")
    _send(steps, "api-calls")
    steps.sandbox.clear_requests()
    assert "A meter cannot have this name" in _send(steps, name)["rejected"][0]["reason"]
    assert _count_calls(steps) == {}


@pytest.mark.parametrize("name", ["Rate 2 %", "größe"])
def test_a_name_from_amberflos_own_console_is_known(steps: Steps, name: str) -> None:
    steps.sandbox.set_faults(
        [{**LIST_FAULT, "kind": "status", "status": 200, "body": f'[{{"meterApiName": "{name}"}}]'}]
    )
    assert _send(steps, name)["counted"] == [f"{name}-0"]


def test_any_number_of_meters_is_known(steps: Steps) -> None:
    meters = ", ".join(f'{{"id": "{number}", "meterApiName": "m-{number}"}}' for number in range(3_000))
    steps.sandbox.set_faults([{**LIST_FAULT, "kind": "status", "status": 200, "body": f"[{meters}]"}])
    sent = _send(steps, "m-0", "m-2999", "m-3000", *(f"x-{number}" for number in range(200)))
    assert (sent["counted"], len(sent["rejected"])) == (["m-0-0", "m-2999-1"], 201)


@pytest.mark.parametrize(("fault", "error"), FAULTS, ids=str)
def test_a_first_list_that_cannot_be_read_rejects_nothing(steps: Steps, fault: Any, error: type[Exception]) -> None:
    steps.create_meter("api-calls")
    steps.timeout_seconds = 2
    steps.sandbox.set_faults([{**LIST_FAULT, **fault}])
    with pytest.raises(error):
        _send(steps, "api-calls")
    assert steps.sandbox.faults()[0]["struck"] == 1
    steps.sandbox.clear_faults()
    assert _send(steps, "api-calls")["counted"] == ["api-calls-0"]


@pytest.mark.usefixtures("expired")
@pytest.mark.parametrize(("fault", "error"), FAULTS, ids=str)
def test_known_names_pass_while_the_list_cannot_be_read(steps: Steps, fault: Any, error: type[Exception]) -> None:
    steps.create_meter("api-calls")
    _send(steps, "api-calls")
    steps.timeout_seconds = 2
    steps.sandbox.set_faults([{**LIST_FAULT, **fault}])
    assert _send(steps, "api-calls", "api-calls")["rejected"] == []
    for unknown in ("new-meter", "größe"):
        with pytest.raises(error):
            _send(steps, "api-calls", unknown)


def test_an_expired_list_is_not_read_at_each_request_of_an_outage(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meter_names, "METER_LIST_SECONDS", 0.0)
    steps.create_meter("api-calls")
    steps.sandbox.set_faults([{**LIST_FAULT, "kind": "status", "status": 503, "skip": 1}])
    # The first read succeeds, and the next attempt is not due yet.
    for _ in range(5):
        assert _send(steps, "api-calls")["rejected"] == []
    assert steps.sandbox.faults()[0]["struck"] == 0


def test_a_new_key_has_a_list_of_its_own(steps: Steps) -> None:
    steps.create_meter("api-calls")
    _send(steps, "api-calls")
    steps.sandbox.set_keys(["key-2"])
    steps.put_secret(SecretString='{"apiKey": "key-2"}')
    steps.resolve(refresh=True)
    steps.sandbox.clear_requests()
    assert _send(steps, "api-calls")["counted"] == ["api-calls-0"]
    assert _count_calls(steps) == {"GET /meters": 1, "POST /ingest": 1}


def test_no_check_with_the_setting(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMBERFLO_CHECK_METER_NAMES", "false")
    assert _send(steps, "later", "größe")["rejected"] == []
    assert _count_calls(steps) == {"POST /ingest": 1}


def test_usage_of_a_deleted_meter_can_be_cancelled(steps: Steps) -> None:
    record = {**_usage("gone")["usage"], "uniqueId": "u", "meterTimeInMillis": int(time.time() * 1000)}
    assert steps.run("cancel_usage", {"records": [record]})["statusCode"] == 200
    assert "GET /meters" not in _count_calls(steps)


def test_invalid_usage_needs_no_list(steps: Steps) -> None:
    sent = steps.run("send_usages", {"usages": [_usage("x", meterValue="two"), _usage(None)]})
    assert [usage["reason"] for usage in sent["rejected"]] == [
        "meterValue must be a number, not text",
        "meterApiName is missing",
    ]
    assert _count_calls(steps) == {}


def test_threads_share_a_list(steps: Steps) -> None:
    steps.create_meter("api-calls")
    steps.sandbox.clear_requests()
    client = AmberfloClient("key-1", steps.sandbox.url, steps.sandbox.url, timeout_seconds=6)
    with ThreadPoolExecutor(8) as pool:
        known = list(pool.map(lambda _: meter_names.find_unknown_meters(client, {"api-calls"}), range(50)))
    assert known == [{}] * 50
    assert _count_calls(steps) == {"GET /meters": 1}
    with ThreadPoolExecutor(8) as pool:
        missed = list(pool.map(lambda _: meter_names.find_unknown_meters(client, {"api-cals"}), range(16)))
    assert [list(reasons) for reasons in missed] == [["api-cals"]] * 16


def test_waiting_and_sending_end_before_the_state_does(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    steps.create_meter("api-calls")
    monkeypatch.setattr(meter_names, "MIN_INTERVAL_SECONDS", 1.0)
    _send(steps, "api-calls")
    steps.sandbox.set_faults(
        [{**LIST_FAULT, "kind": "delay", "seconds": 1}, {"path": "/ingest", "kind": "hang", "seconds": 9}]
    )
    steps.timeout_seconds = 4
    started = time.monotonic()
    with pytest.raises(AmberfloUnavailable):
        _send(steps, "api-calls", "unknown")
    assert time.monotonic() - started < 4
