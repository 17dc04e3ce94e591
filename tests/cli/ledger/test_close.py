"""``metering close`` against the local system."""

import json

import pytest

from tests.cli.ledger.usages import HOUR, HOUR_SECONDS, build_usage
from tests.cli.local_metering import LocalMetering, count_usages
from tests.entrypoints.calls import Api

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]

PERIOD = ("--from", str(HOUR), "--to", str(HOUR + HOUR_SECONDS))


def test_a_period_is_ready_until_usage_of_it_is_rejected(metering: LocalMetering, tenant: str) -> None:
    count_usages(metering.system, [build_usage(tenant, 1)])
    ready = metering("close", *PERIOD)
    assert (ready.returncode, "is ready to be invoiced" in " ".join(ready.stdout.split())) == (0, True)
    invalid = {**build_usage(tenant, 2), "meterValue": "two"}
    assert Api(metering.system).call("POST", "ingest", {"records": [invalid]}).status == 200
    blocked = metering("close", *PERIOD, "--json")
    output = json.loads(blocked.stdout)
    assert (blocked.returncode, output["isReady"], output["reasons"][0]["code"]) == (1, False, "rejected")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ((), 2, "Set either --month, or --from and --to"),
        (("--month", "2026-11", "--from", "2d"), 2, "Set either --month, or --from and --to"),
        (("--month", "2026-11", "--to", "2d"), 2, "Set either --month, or --from and --to"),
        (("--month", " "), 2, "--month is empty"),
        (("--month", "November"), 1, "a month such as 2026-11"),
        (("--from", "1h", "--to", "3h"), 2, "--from is not before --to"),
    ],
)
def test_invalid_options(metering: LocalMetering, options: tuple[str, ...], code: int, message: str) -> None:
    done = metering("close", *options)
    assert (done.returncode, message in " ".join(done.stderr.split())) == (code, True)
