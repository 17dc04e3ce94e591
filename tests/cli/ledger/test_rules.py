"""``metering usage rules`` and ``metering usage restore``."""

import time

import pytest

from tests.cli.ledger.usages import build_usage
from tests.cli.local_metering import LocalMetering, count_usages
from tests.conftest import sandbox_of

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls", "storage")]


def _cancel(metering: LocalMetering, meter: str, rule_id: str) -> None:
    now = int(time.time())
    time_range = ("--from", str(now - 3600), "--to", str(now + 3600))
    done = metering("usage", "cancel", meter, *time_range, "--id", rule_id, "--yes")
    assert done.returncode == 0, done


def test_a_rule_is_listed_and_undone(metering: LocalMetering, tenant: str) -> None:
    count_usages(metering.system, [build_usage(tenant, number) for number in range(2)])
    assert metering("usage", "rules").stdout == "The ledger has no rules.\n"
    _cancel(metering, "api-calls", "mistake")
    _cancel(metering, "storage", "another")
    totals = sandbox_of(metering.system).totals
    assert totals("api-calls") == {}
    rules = metering.json("usage", "rules")
    assert {rule["id"]: rule["isUndone"] for rule in rules} == {"another": False, "mistake": False}
    assert [rule["id"] for rule in metering.json("usage", "rules", "--meter", "api-calls")] == ["mistake"]
    done = metering("usage", "restore", "mistake")
    text = " ".join(done.stderr.split())
    assert (done.returncode, "Count ALL tenants' usage of api-calls" in text) == (2, True), done
    assert totals("api-calls") == {}
    metering.json("usage", "restore", "mistake", "--yes")
    assert totals("api-calls") == {tenant: 4}
    rules = metering.json("usage", "rules")
    assert {rule["id"]: rule["isUndone"] for rule in rules} == {"another": False, "mistake": True}
    # What counts again is in the ledger's sum.
    assert metering.json("usage", "explain", "api-calls", tenant, "--from", "2d")["total"] == 4


@pytest.mark.parametrize("rule", ["none", "undone"])
def test_only_a_rule_that_cancels_usage_is_undone(metering: LocalMetering, rule: str) -> None:
    _cancel(metering, "api-calls", "undone")
    metering.json("usage", "restore", "undone", "--yes")
    done = metering("usage", "restore", rule, "--yes")
    message = "was undone already" if rule == "undone" else "The ledger has no rule 'none'. See: metering usage rules"
    assert (done.returncode, message in done.stderr) == (1, True), done
