"""Amberflo's own Python SDK against the sandbox: calls that work here also work against Amberflo."""

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
def _sdk_calls_the_sandbox(amberflo: Amberflo, monkeypatch: pytest.MonkeyPatch) -> None:
    # The URL is an attribute of the SDK's sessions; its clients have no argument for it.
    monkeypatch.setattr(ApiSession, "root_url", amberflo.sandbox.url)
    monkeypatch.setattr(IngestSession, "root_url", amberflo.sandbox.url)


def _payload(number: int, **fields: Any) -> Any:
    defaults = {
        "meter_api_name": "api-calls",
        "meter_value": number + 1,
        "meter_time_in_millis": (NOW - 60) * 1000 + number,
        "customer_id": CUSTOMERS[number % 3],
        "dimensions": {"region": ("eu", "us")[number % 2]},
    }
    return create_ingest_payload(**{**defaults, **fields})


def _query(**fields: Any) -> Any:
    defaults = {
        "aggregation": AggregationType.SUM,
        "meter_api_name": "api-calls",
        "time_grouping_interval": TimeGroupingInterval.DAY,
        "time_range": TimeRange(NOW - 86_400),
    }
    return create_usage_query(**{**defaults, **fields})


def _values(report: Any, key: str = "customerId") -> dict[str, float]:
    return {group["group"]["groupInfo"].get(key, ""): group["groupValue"] for group in report["clientMeters"]}


def test_reports_contain_the_ingested_usage(amberflo: Amberflo) -> None:
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


def test_a_batch_of_queries_returns_reports_in_order(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    IngestApiClient(KEY).send([_payload(number) for number in range(3)])
    eu, us = UsageApiClient(KEY).get([_query(usage_filter={"region": [region]}) for region in ("eu", "us")])
    assert (_values(eu), _values(us)) == ({"": 4}, {"": 2})


def test_reports_all_meters(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    amberflo.create_meter(label="other", meterApiName="other")
    client = IngestApiClient(KEY)
    client.send([_payload(0), _payload(1, meter_api_name="other")])
    query = create_all_usage_query(TimeGroupingInterval.DAY, TimeRange(NOW - 86_400), group_by_customer_id=True)
    reports = UsageApiClient(KEY).get_all(query)
    assert {report["metadata"]["meterApiName"]: _values(report) for report in reports} == {
        "api-calls": {"acme": 1},
        "other": {"acme": 2},
    }


def test_the_queued_client_sends_batches(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    client = create_ingest_client(api_key=KEY)
    for number in range(250):
        client.meter("api-calls", 1, NOW * 1000 - number, "acme")
    client.shutdown()
    assert amberflo.sandbox.totals("api-calls") == {"acme": 250}
    assert amberflo.sandbox.requests()["total"] < 50


def test_the_same_payload_twice_counts_once(amberflo: Amberflo) -> None:
    payload = _payload(4)
    for _ in range(2):
        IngestApiClient(KEY).send(payload)
    assert amberflo.sandbox.totals("api-calls") == {"acme": 5}


def test_adds_reads_and_replaces_a_customer() -> None:
    client = CustomerApiClient(KEY)
    assert client.get("acme") == {}
    client.add_or_update(create_customer_payload("acme", "Acme", "a@acme.example", traits={"tier": "gold"}))
    customer = client.get("acme")
    assert (customer["customerName"], customer["traits"]) == ("Acme", {"tier": "gold"})
    client.add_or_update(create_customer_payload("acme", "Acme Corp"))
    replaced = client.get("acme")
    assert (replaced["customerName"], replaced["traits"], replaced["createTime"]) == (
        "Acme Corp",
        {},
        customer["createTime"],
    )
    assert [customer["customerId"] for customer in client.list()] == ["acme"]


def test_adding_an_existing_customer_fails() -> None:
    client = CustomerApiClient(KEY)
    client.add(create_customer_payload("acme", "Acme"), create_in_stripe=True)
    with pytest.raises(ApiError):
        client.add(create_customer_payload("acme", "Acme"))


def test_an_invalid_key_is_an_error() -> None:
    for call in (CustomerApiClient("wrong").list, lambda: IngestApiClient("wrong").send(_payload(0))):
        with pytest.raises(ApiError, match="401"):
            call()


def _short_backoff(**_options: Any) -> Iterator[float | None]:
    # The SDK discards the first value, which starts the generator.
    yield None
    while True:
        yield 0.01


@pytest.mark.parametrize(
    ("fault", "is_ingested_again"),
    [
        ({"kind": "status", "status": 429}, False),
        ({"kind": "accept_then_status", "status": 500}, True),
        ({"kind": "accept_then_drop"}, True),
    ],
    ids=["throttled", "accepted then 500", "accepted then dropped"],
)
def test_retries_of_the_queued_client_count_once(
    amberflo: Amberflo, fault: dict[str, Any], *, is_ingested_again: bool
) -> None:
    amberflo.sandbox.set_faults([{**fault, "path": "/ingest*", "times": 2}])
    client = create_ingest_client(api_key=KEY, threads=1, send_interval_in_secs=0.1, backoff_delay=_short_backoff)
    for number in range(5):
        client.send(_payload(number, customer_id="acme"))
    client.shutdown()
    assert amberflo.sandbox.faults()[0]["struck"] == 2
    # How many records the client puts into a batch depends on its threads' timing.
    assert (amberflo.sandbox.requests()["records"] > 5) == is_ingested_again
    assert amberflo.sandbox.totals("api-calls") == {"acme": 15}


def test_a_rejected_batch_is_not_retried_and_the_callback_is_called(amberflo: Amberflo) -> None:
    calls: list[Any] = []
    client = create_ingest_client(
        api_key=KEY, threads=1, send_interval_in_secs=0.1, on_error=lambda error, batch: calls.append((error, batch))
    )
    client.send({**_payload(0), "customerId": ""})
    client.shutdown()
    ((error, batch),) = calls
    assert (error.status_code, len(batch)) == (400, 1)
    assert "'customerId' is required" in error.text
    assert amberflo.sandbox.requests()["total"] == 1


def test_custom_payloads_in_amberflos_format_are_accepted(amberflo: Amberflo) -> None:
    assert IngestApiClient(KEY).send_custom([_payload(0)]) == "1 records were ingested"
    assert amberflo.sandbox.totals("api-calls") == {"acme": 1}


def test_reports_all_meters_of_a_customer(amberflo: Amberflo) -> None:
    amberflo.create_meter()
    IngestApiClient(KEY).send([_payload(number) for number in range(3)])
    query = create_all_usage_query(TimeGroupingInterval.DAY, TimeRange(NOW - 86_400, NOW), filter_by_customer_id="acme")
    (report,) = UsageApiClient(KEY).get_all(query)
    assert _values(report) == {"": 3}


def test_an_update_removes_omitted_fields() -> None:
    client = CustomerApiClient(KEY)
    client.add(create_customer_payload("acme", "Acme", "a@acme.example", enabled=True, traits={"a": "1", "b": "2"}))
    client.update(create_customer_payload("acme", "Acme", traits={"b": "2"}))
    customer = client.get("acme")
    assert customer["traits"] == {"b": "2"}
    assert not {"customerEmail", "enabled"} & customer.keys()
