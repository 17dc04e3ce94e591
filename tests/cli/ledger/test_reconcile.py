"""``metering reconcile`` against the sandbox, whose records other clients change without our workflows."""

import json
from typing import Any

import pytest

from amberflo_workflows.tasks.cancel_usage import CANCEL_DIMENSION
from tests.cli.ledger.usages import HOUR, HOUR_SECONDS, build_usage, send_elsewhere
from tests.cli.local_metering import LocalMetering, count_usages
from tests.entrypoints.calls import Api

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls", "storage")]

RANGE = ("--from", str(HOUR), "--to", str(HOUR + 2 * HOUR_SECONDS))


def _reconcile(metering: LocalMetering, *options: str) -> tuple[int, Any]:
    done = metering("reconcile", *RANGE, *options, "--json")
    return done.returncode, json.loads(done.stdout)


def _list_differences(output: Any) -> list[tuple[str, str, int, float, float, str]]:
    members = ("meterApiName", "tenantId", "startTimeInSeconds", "ledger", "amberflo", "outcome")
    return [tuple(item[name] for name in members) for item in output["differences"]]


def test_usage_that_was_sent_twice_and_cancelled_agrees(metering: LocalMetering, tenant: str) -> None:
    usages = [build_usage(tenant, number, 0.1) for number in range(5)]
    count_usages(metering.system, [*usages, build_usage(tenant, 9, meterApiName="storage")])
    count_usages(metering.system, usages[:2])
    assert Api(metering.system).call("DELETE", "usage", {"records": usages[:1]}).status == 200
    code, output = _reconcile(metering, "--tenant", tenant)
    assert (code, output["outcomes"]["agreed"], output["differences"]) == (0, 2, [])
    printed = metering("reconcile", *RANGE, "--tenant", tenant).stdout
    assert printed.startswith("2 agreed, 0 missing at Amberflo, ")


def test_each_difference_is_an_hour_of_a_tenant_and_a_meter(metering: LocalMetering, tenant: str) -> None:
    other = f"{tenant}-other"
    lost = build_usage(tenant, 1)
    count_usages(metering.system, [lost, build_usage(tenant, 2), build_usage(other, 3)])
    # Behind our back, one record goes away and another one is added an hour later.
    send_elsewhere(metering.system, lost, **{CANCEL_DIMENSION: "true"})
    send_elsewhere(metering.system, build_usage(other, 4, 5, meterTimeInMillis=(HOUR + HOUR_SECONDS) * 1000))
    code, output = _reconcile(metering)
    assert code == 1
    ours = [item for item in _list_differences(output) if item[1] in {tenant, other}]
    assert ours == [
        ("api-calls", tenant, HOUR, 4, 2, "missing"),
        ("api-calls", other, HOUR + HOUR_SECONDS, 0, 5, "unknown"),
    ]
    code, output = _reconcile(metering, "--tenant", other, "--meter", "api-calls")
    assert _list_differences(output) == ours[1:]
    table = metering("reconcile", *RANGE, "--tenant", tenant)
    assert table.returncode == 1
    assert " ".join(table.stdout.splitlines()[1].split()).endswith("4 2 2 missing at Amberflo")


def test_a_difference_of_a_late_hour_is_not_yet_one(metering: LocalMetering, tenant: str) -> None:
    send_elsewhere(metering.system, build_usage(tenant, 1))
    code, output = _reconcile(metering, "--tenant", tenant, "--lag", "7h")
    assert (code, [item[-1] for item in _list_differences(output)]) == (0, ["tooFresh"])
    assert _reconcile(metering, "--tenant", tenant, "--lag", "0s")[0] == 1


def test_a_meter_without_a_sum_is_named(metering: LocalMetering, tenant: str) -> None:
    meter = {"label": "users", "meterApiName": "users", "meterType": "active_users"}
    response = Api(metering.system).call("POST", "meters", {**meter, "aggregationDimensions": ["customerId"]})
    assert response.status == 201
    count_usages(metering.system, [build_usage(tenant, 1, 1, meterApiName="users")])
    code, output = _reconcile(metering, "--tenant", tenant)
    assert (code, output["differences"], output["metersWithoutSum"]) == (0, [], ["users"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--from", "1h", "--to", "3h"), "--from is not before --to"),
        (("--lag", "soon"), "--lag: 'soon' is not a valid duration"),
        (("--tenant", " "), "--tenant is empty"),
    ],
)
def test_invalid_options(metering: LocalMetering, options: tuple[str, ...], message: str) -> None:
    done = metering("reconcile", *options)
    assert (done.returncode, message in done.stderr) == (2, True)


def test_what_is_missing_is_sent_again_on_request(metering: LocalMetering, tenant: str) -> None:
    usages = [build_usage(tenant, number) for number in range(3)]
    count_usages(metering.system, usages)
    send_elsewhere(metering.system, build_usage(tenant, 9, 5, meterTimeInMillis=(HOUR + HOUR_SECONDS) * 1000))
    sandbox = metering.system.sandbox
    assert sandbox
    assert sandbox.delete_records(customer_id=tenant, unique_ids=[usages[1]["uniqueId"]]) == 1
    repaired = metering("reconcile", *RANGE, "--tenant", tenant, "--repair", "--yes")
    # All of the hour is sent, and only what is missing counts.
    assert "3 usages sent and accepted, 0 rejected" in " ".join(repaired.stdout.split())
    assert repaired.returncode == 0
    code, output = _reconcile(metering, "--tenant", tenant, "--lag", "0s")
    # What was sent elsewhere is not touched.
    assert (code, [item[-1] for item in _list_differences(output)]) == (1, ["unknown"])


def test_json_does_not_go_with_a_repair(metering: LocalMetering) -> None:
    done = metering("reconcile", "--repair", "--json")
    assert (done.returncode, "--json and --repair exclude each other" in " ".join(done.stderr.split())) == (2, True)
