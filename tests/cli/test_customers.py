from pathlib import Path

import pytest

from amberflo_workflows.local.system import System
from tests.cli.local_metering import LocalMetering
from tests.workflows.runner import Runner

pytestmark = pytest.mark.emulator


@pytest.fixture
def metering(system: System, tmp_path: Path) -> LocalMetering:
    return LocalMetering.of(system, tmp_path / "home")


def test_tenants_are_customers_with_the_times_of_their_events(metering: LocalMetering) -> None:
    assert "An onboarding event creates one" in metering("customers", "list").stdout
    runner, time = Runner(metering.system, endpoint=None), "2026-11-01T00:00:00Z"
    for tenant in ({"tenantId": "b", "tenantName": "Beta", "email": "ops@b.example"}, {"tenantId": "a"}):
        runner.run("create_customer", {"time": time, "detail": tenant})
    runner.run("delete_customer", {"time": "2026-11-02T00:00:00Z", "detail": {"tenantId": "a"}})
    header, first, second = metering("customers", "list").stdout.splitlines()
    assert header.split() == ["id", "name", "email", "stage", "onboarded", "offboarded"]
    assert first.split() == ["a", "a", "OFFBOARDED", "2026-11-01T00:00:00.000+00:00", "2026-11-02T00:00:00.000+00:00"]
    assert second.split()[:4] == ["b", "Beta", "ops@b.example", "ONBOARDING"]
    assert [customer["customerId"] for customer in metering.json("customers", "list", "--search", "OPS@")] == ["b"]
    assert "No customer has 'nobody'" in metering("customers", "list", "--search", "nobody").stdout


def test_one_customer_is_shown_and_an_unknown_one_is_an_error(metering: LocalMetering) -> None:
    Runner(metering.system, endpoint=None).run("create_customer", {"detail": {"tenantId": "a", "tenantName": "Alpha"}})
    assert metering.json("customers", "show", "a")["customerName"] == "Alpha"
    assert "customerName" in metering("customers", "show", "a").stdout
    done = metering("customers", "show", "nobody")
    assert (done.returncode, "The customer 'nobody' was not found." in done.stderr) == (1, True)
