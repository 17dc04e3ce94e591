"""Amberflo's own Python SDK, pointed at the sandbox: what it can do there, it can do at Amberflo."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from metering.customer import CustomerApiClient, create_customer_payload
from metering.exceptions import ApiError
from metering.ingest import IngestApiClient, create_ingest_client, create_ingest_payload
from metering.session import ApiSession, IngestSession
from metering.usage import (
    AggregationType,
    Take,
    TimeGroupingInterval,
    TimeRange,
    UsageApiClient,
    create_all_usage_query,
    create_usage_query,
)

from tests.sandbox.conftest import KEY, Amberflo

NOW = int(time.time())
CUSTOMERS = ("acme", "acme", "globex")


@pytest.fixture(autouse=True)
def _pointed_at_the_sandbox(amberflo: Amberflo, monkeypatch: pytest.MonkeyPatch) -> None:
    # The address is an attribute of its sessions, and no argument of its clients.
    monkeypatch.setattr(ApiSession, "root_url", amberflo.sandbox.url)
    monkeypatch.setattr(IngestSession, "root_url", amberflo.sandbox.url)


def _payload(number: int, **fields: Any) -> Any:
    made = {
        "meter_api_name": "api-calls",
        "meter_value": number + 1,
        "meter_time_in_millis": (NOW - 60) * 1000 + number,
        "customer_id": CUSTOMERS[number % 3],
        "dimensions": {"region": ("eu", "us")[number % 2]},
    }
    return create_ingest_payload(**{**made, **fields})


def _query(**fields: Any) -> Any:
    made = {
        "aggregation": AggregationType.SUM,
        "meter_api_name": "api-calls",
        "time_grouping_interval": TimeGroupingInterval.DAY,
        "time_range": TimeRange(NOW - 86_400),
    }
    return create_usage_query(**{**made, **fields})


def _values(report: Any, key: str = "customerId") -> dict[str, float]:
    return {group["group"]["groupInfo"].get(key, ""): group["groupValue"] for group in report["clientMeters"]}


def test_what_is_sent_is_what_is_reported(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    client = IngestApiClient(KEY)
    assert client.send([_payload(number) for number in range(6)]) == "6 records were ingested"
    assert client.send(_payload(6)) == "1 records were ingested"
    reports = UsageApiClient(KEY)
    assert _values(reports.get(_query())) == {"": 28}
    assert _values(reports.get(_query(group_by=["customerId"]))) == {"acme": 19, "globex": 9}
    assert _values(reports.get(_query(group_by=["customerId"], take=Take(1)))) == {"acme": 19}
    filtered = _query(group_by=["region"], usage_filter={"customerId": ["acme"]})
    assert _values(reports.get(filtered), "region") == {"eu": 13, "us": 6}
    by_count = _query(aggregation=AggregationType.COUNT, time_grouping_interval=TimeGroupingInterval.HOUR)
    assert _values(reports.get(by_count)) == {"": 7}


def test_several_questions_are_answered_in_their_order(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    IngestApiClient(KEY).send([_payload(number) for number in range(3)])
    eu, us = UsageApiClient(KEY).get([_query(usage_filter={"region": [region]}) for region in ("eu", "us")])
    assert (_values(eu), _values(us)) == ({"": 4}, {"": 2})


def test_all_meters_are_reported_at_once(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    amberflo.create_meter(label="other", meterApiName="other")
    client = IngestApiClient(KEY)
    client.send([_payload(0), _payload(1, meter_api_name="other")])
    asked = create_all_usage_query(TimeGroupingInterval.DAY, TimeRange(NOW - 86_400), group_by_customer_id=True)
    reports = UsageApiClient(KEY).get_all(asked)
    assert {report["metadata"]["meterApiName"]: _values(report) for report in reports} == {
        "api-calls": {"acme": 1},
        "other": {"acme": 2},
    }


def test_the_queued_client_sends_everything_in_batches(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    client = create_ingest_client(api_key=KEY)
    for number in range(250):
        client.meter("api-calls", 1, NOW * 1000 - number, "acme")
    client.shutdown()
    assert amberflo.sandbox.totals("api-calls") == {"acme": 250}
    assert amberflo.sandbox.requests()["total"] <= 10


def test_the_same_payload_twice_counts_once(amberflo: Amberflo) -> None:
    payload = _payload(4)
    for _ in range(2):
        IngestApiClient(KEY).send(payload)
    assert amberflo.sandbox.totals("api-calls") == {"acme": 5}


def test_a_customer_is_added_read_and_replaced() -> None:
    client = CustomerApiClient(KEY)
    assert client.get("acme") == {}
    client.add_or_update(create_customer_payload("acme", "Acme", "a@acme.example", traits={"tier": "gold"}))
    found = client.get("acme")
    assert (found["customerName"], found["traits"]) == ("Acme", {"tier": "gold"})
    client.add_or_update(create_customer_payload("acme", "Acme Corp"))
    replaced = client.get("acme")
    assert (replaced["customerName"], replaced["traits"], replaced["createTime"]) == (
        "Acme Corp",
        {},
        found["createTime"],
    )
    assert [customer["customerId"] for customer in client.list()] == ["acme"]


def test_a_customer_that_is_there_cannot_be_added() -> None:
    client = CustomerApiClient(KEY)
    client.add(create_customer_payload("acme", "Acme"), create_in_stripe=True)
    with pytest.raises(ApiError):
        client.add(create_customer_payload("acme", "Acme"))


def test_a_wrong_key_is_an_error() -> None:
    for call in (CustomerApiClient("wrong").list, lambda: IngestApiClient("wrong").send(_payload(0))):
        with pytest.raises(ApiError, match="401"):
            call()


def _at_once(**_arguments: Any) -> Iterator[float | None]:
    # The first value is for the generator's start, not a delay.
    yield None
    while True:
        yield 0.01


@pytest.mark.parametrize(
    ("fault", "taken"),
    [
        ({"kind": "status", "status": 429}, 5),
        ({"kind": "accept_then_status", "status": 500}, 15),
        ({"kind": "accept_then_drop"}, 15),
    ],
)
def test_what_the_queued_client_sends_again_counts_once(amberflo: Amberflo, fault: dict[str, Any], taken: int) -> None:
    amberflo.sandbox.set_faults([{**fault, "path": "/ingest*", "times": 2}])
    client = create_ingest_client(api_key=KEY, threads=1, send_interval_in_secs=0.1, backoff_delay=_at_once)
    for number in range(5):
        client.send(_payload(number, customer_id="acme"))
    client.shutdown()
    assert (amberflo.sandbox.faults()[0]["struck"], amberflo.sandbox.requests()["records"]) == (2, taken)
    assert amberflo.sandbox.totals("api-calls") == {"acme": 15}


def test_a_batch_that_is_refused_is_not_sent_again_and_the_callback_hears_of_it(amberflo: Amberflo) -> None:
    heard: list[Any] = []
    client = create_ingest_client(
        api_key=KEY, threads=1, send_interval_in_secs=0.1, on_error=lambda error, batch: heard.append((error, batch))
    )
    client.send({**_payload(0), "customerId": ""})
    client.shutdown()
    ((error, batch),) = heard
    assert (error.status_code, len(batch)) == (400, 1)
    assert "'customerId' is required" in error.text
    assert amberflo.sandbox.requests()["total"] == 1


def test_records_in_a_form_of_ones_own_are_taken_in_amberflos(amberflo: Amberflo) -> None:
    assert IngestApiClient(KEY).send_custom([_payload(0)]) == "1 records were ingested"
    assert amberflo.sandbox.totals("api-calls") == {"acme": 1}


def test_all_meters_are_reported_for_one_customer(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    IngestApiClient(KEY).send([_payload(number) for number in range(3)])
    asked = create_all_usage_query(TimeGroupingInterval.DAY, TimeRange(NOW - 86_400, NOW), filter_by_customer_id="acme")
    (report,) = UsageApiClient(KEY).get_all(asked)
    assert _values(report) == {"": 3}


def test_an_update_keeps_what_it_is_given_and_loses_the_rest() -> None:
    client = CustomerApiClient(KEY)
    client.add(create_customer_payload("acme", "Acme", "a@acme.example", enabled=True, traits={"a": "1", "b": "2"}))
    client.update(create_customer_payload("acme", "Acme", traits={"b": "2"}))
    found = client.get("acme")
    assert found["traits"] == {"b": "2"}
    assert not {"customerEmail", "enabled"} & found.keys()
