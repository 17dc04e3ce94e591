"""``metering usage explain`` and ``metering trace`` on the receipts of real executions."""

import time
from typing import Any

import pytest

from tests.cli.ledger.usages import HOUR, HOUR_SECONDS, build_usage
from tests.cli.local_metering import LocalMetering, count_usages, delete_meter
from tests.entrypoints.calls import Api
from tests.workflows.runner import Runner

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls", "storage")]


def _explain(metering: LocalMetering, tenant: str) -> Any:
    time_range = ("--from", str(HOUR), "--to", str(HOUR + HOUR_SECONDS))
    return metering.json("usage", "explain", "api-calls", tenant, *time_range)


def test_the_records_of_an_hour_make_up_what_amberflo_reports(metering: LocalMetering, tenant: str) -> None:
    usages = [build_usage(tenant, number) for number in range(3)]
    others = [
        build_usage("another", 3),
        build_usage(tenant, 4, meterApiName="storage"),
        build_usage(tenant, 5, meterTimeInMillis=HOUR * 1000 - 1),
        build_usage(tenant, 6, meterTimeInMillis=(HOUR + HOUR_SECONDS) * 1000),
    ]
    count_usages(metering.system, [*usages, *others])
    # Sent twice, counted once.
    count_usages(metering.system, usages[:1])
    explained = _explain(metering, tenant)
    assert [usage["record"]["uniqueId"] for usage in explained["usages"]] == [usage["uniqueId"] for usage in usages]
    assert [len(usage["counted"]) for usage in explained["usages"]] == [2, 1, 1]
    assert (explained["total"], explained["reportedByAmberflo"]) == (6, 6)
    counted = explained["usages"][1]["counted"][0]
    assert counted["executionArn"].startswith("arn:aws:states:")
    assert counted["receipt"].startswith("receipts/date=")


def test_cancelled_usage_is_explained_and_not_added_up(metering: LocalMetering, tenant: str) -> None:
    usages = [build_usage(tenant, number) for number in range(2)]
    count_usages(metering.system, usages)
    assert Api(metering.system).call("DELETE", "usage", {"records": usages[:1]}).status == 200
    explained = _explain(metering, tenant)
    assert [bool(usage["cancelledBy"]) for usage in explained["usages"]] == [True, False]
    assert (explained["total"], explained["reportedByAmberflo"]) == (2, 2)
    printed = metering("usage", "explain", "api-calls", tenant, "--from", str(HOUR)).stdout.splitlines()
    assert [" ".join(line.split())[:30] for line in printed[:1]] == ["time value unique id event cou"]
    assert [word for line in printed[1:3] for word in ("cancelled", "counted") if f" {word} " in line] == [
        "cancelled",
        "counted",
    ]
    assert printed[-1] == "The ledger has 2, Amberflo reports 2."


def test_the_usage_of_a_deleted_meter_is_explained(metering: LocalMetering, tenant: str) -> None:
    count_usages(metering.system, [build_usage(tenant, 1)])
    delete_meter(metering.system, "api-calls")
    explained = _explain(metering, tenant)
    assert [usage["record"]["uniqueId"] for usage in explained["usages"]] == [f"{tenant}/1"]
    assert explained["reportedByAmberflo"] is None
    printed = metering("usage", "explain", "api-calls", tenant, "--from", str(HOUR)).stdout.splitlines()
    assert printed[-1].startswith("Amberflo has no meter api-calls, so there is nothing to compare.")


def test_a_meter_without_records_that_amberflo_lacks_is_an_error(metering: LocalMetering, tenant: str) -> None:
    done = metering("usage", "explain", "api-cals", tenant)
    assert (done.returncode, "'api-cals' was not found" in done.stderr) == (1, True), done.stderr


def test_an_hour_and_more_records_than_a_page(metering: LocalMetering, tenant: str) -> None:
    usages = [build_usage(tenant, number, 1) for number in range(1001)]
    count_usages(metering.system, [*usages, build_usage(tenant, -1), build_usage(tenant, HOUR_SECONDS * 1000)])
    hour = time.strftime("%Y-%m-%dT%H", time.gmtime(HOUR))
    explained = metering.json("usage", "explain", "api-calls", tenant, "--hour", hour)
    assert [usage["record"]["uniqueId"] for usage in explained["usages"]] == [usage["uniqueId"] for usage in usages]
    assert (explained["total"], explained["reportedByAmberflo"]) == (1001, 1001)


def test_another_tenants_usage_with_the_same_id_is_not_shown(metering: LocalMetering, tenant: str) -> None:
    usage = build_usage(tenant, 1)
    count_usages(metering.system, [usage, {**usage, "tenantId": f"{tenant}-2", "meterValue": 9}])
    explained = _explain(metering, tenant)
    assert [usage["record"]["customerId"] for usage in explained["usages"]] == [tenant]
    assert explained["total"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--hour", "2026-11-27"), "--hour: '2026-11-27' is not an hour like 2026-11-27T15"),
        (("--hour", "2026-11-27T15", "--from", "2h"), "--hour excludes --from and --to"),
        (("--hour", "2026-11-27T15", "--to", "2h"), "--hour excludes --from and --to"),
    ],
)
def test_an_invalid_hour(metering: LocalMetering, tenant: str, options: tuple[str, ...], message: str) -> None:
    done = metering("usage", "explain", "api-calls", tenant, *options)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr


def test_a_range_without_usage_and_an_empty_range(metering: LocalMetering, tenant: str) -> None:
    done = metering("usage", "explain", "api-calls", tenant)
    assert "The ledger has no usage of this tenant and meter in this time." in done.stdout
    done = metering("usage", "explain", "api-calls", tenant, "--from", "1h", "--to", "3h")
    assert (done.returncode, "--from is not before --to" in done.stderr) == (2, True)


def test_the_life_of_a_usage_that_was_rejected_redriven_and_cancelled(metering: LocalMetering, tenant: str) -> None:
    system, usage = metering.system, build_usage(tenant, 7, "five")
    reported = {"eventId": "event-7", "eventTime": "2026-01-01T00:00:00Z", "index": 3, "usage": usage}
    Runner(system, endpoint=None).run("ingest_usage", {"usages": [reported]})
    assert metering("rejected", "redrive", "--tenant", tenant, "--set", "meterValue=5").returncode == 0
    assert Api(system).call("DELETE", "usage", {"records": [{**usage, "meterValue": 5}]}).status == 200
    traced = metering.json("trace", usage["uniqueId"])
    assert [line["outcome"] for line in traced["ledger"]] == ["rejected", "counted", "cancelled"]
    rejected, counted, _ = traced["ledger"]
    assert (rejected["eventId"], rejected["index"], rejected["record"]) == ("event-7", 3, None)
    # It was the first usage of the chunk that was redriven.
    assert (counted["eventId"], counted["index"], counted["record"]["meterValue"]) == ("event-7", 0, 5)
    assert [(item["id"], item["status"]) for item in traced["rejected"]] == [(rejected["rejectedItem"], "redriven")]
    printed = metering("trace", usage["uniqueId"]).stdout
    assert [word for word in ("rejected", "counted", "cancelled", "is redriven") if word in printed] == [
        "rejected",
        "counted",
        "cancelled",
        "is redriven",
    ]


def test_a_usage_that_is_not_in_the_ledger(metering: LocalMetering) -> None:
    done = metering("trace", "no-such-usage", "--since", "1h")
    assert done.returncode == 1
    assert "The ledger has no usage 'no-such-usage' since " in done.stderr
