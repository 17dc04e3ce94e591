import csv
import json
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.local.system import System
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.workflows.runner import Runner

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls", "calls")]


@pytest.fixture
def metering(system: System, tmp_path: Path) -> Metering:
    return Metering(system, tmp_path)


@pytest.fixture
def tenant(system: System) -> str:
    """A tenant with two rejected usages: one has an invalid value, the other an invalid meter."""
    tenant = f"tenant-{uuid.uuid4()}"
    usages = [_usage(tenant, meterValue="five"), _usage(tenant, meterApiName="m" * 60, meterValue=5)]
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    chunk = [
        {"eventId": f"{tenant}:{place}", "eventTime": now, "index": place, "usage": usage}
        for place, usage in enumerate(usages)
    ]
    Runner(system, endpoint=None).run("ingest_usage", {"usages": chunk})
    return tenant


def _usage(tenant: str, **fields: Any) -> dict[str, Any]:
    return {"tenantId": tenant, "meterApiName": "api-calls", **fields}


def _list_ids(metering: Metering, *options: str) -> list[str]:
    return [item["id"] for item in metering.json("rejected", "list", *options)]


def test_rejected_usage_is_listed_with_its_reason(metering: Metering, tenant: str) -> None:
    done = metering("rejected", "list", "--tenant", tenant)
    assert done.returncode == 0
    assert "meterValue must be a number, not text" in done.stdout
    assert len(_list_ids(metering, "--tenant", tenant, "--meter", "m" * 60)) == 1
    assert _list_ids(metering, "--tenant", tenant, "--reason", "NUMBER") != _list_ids(metering, "--tenant", tenant)
    assert metering("rejected", "list", "--tenant", "nobody").stdout.strip() == "No rejected usage is waiting."


def test_rejected_usage_is_printed_as_csv(metering: Metering, tenant: str) -> None:
    done = metering("rejected", "list", "--tenant", tenant, "--csv")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert sorted((row["tenantId"], row["meterValue"]) for row in rows) == [(tenant, "5"), (tenant, "five")]
    assert {row["status"] for row in rows} == {"rejected"}
    done = metering("rejected", "list", "--csv", "--json")
    assert (done.returncode, "use --json or --csv, not both" in done.stderr) == (2, True)


def test_rejected_usage_is_counted_by_reason(metering: Metering, tenant: str) -> None:
    groups = metering.json("rejected", "reasons", "--tenant", tenant)
    assert [(group["usages"], group["tenants"]) for group in groups] == [(1, [tenant])] * 2
    done = metering("rejected", "reasons", "--tenant", tenant, "--reason", "must be a number")
    assert done.stdout.startswith("      1  meterValue must be a number, not text\n"), done
    assert metering("rejected", "reasons", "--tenant", "nobody").stdout.strip() == "No rejected usage is waiting."


def test_redrive_with_changes_and_history(metering: Metering, tenant: str) -> None:
    done = metering("rejected", "redrive", "--tenant", tenant, "--set", "meterValue=5", "--set", "meterApiName=calls")
    assert (done.returncode, "2 counted, 0 rejected again." in done.stdout) == (0, True), done
    assert sandbox_of(metering.system).totals("calls") == {tenant: 10}
    assert _list_ids(metering, "--tenant", tenant) == []
    listed = metering.json("rejected", "list", "--all", "--tenant", tenant)
    assert {item["status"] for item in listed} == {"redriven"}
    shown = json.loads(metering("rejected", "show", listed[0]["id"]).stdout)
    assert [step["what"] for step in shown["history"]] == ["edited", "sent", "counted"]


def test_a_dimension_stays_the_text_that_was_entered(metering: Metering, tenant: str) -> None:
    sets = (
        "meterValue=5",
        "meterApiName=calls",
        "version=1.10",
        "build=007",
        "trial=true",
        'dimensions={"region": "eu"}',
    )
    options = [part for text in sets for part in ("--set", text)]
    assert metering("rejected", "redrive", "--tenant", tenant, *options).returncode == 0
    (usage, _) = [item["original"]["usage"] for item in metering.json("rejected", "list", "--all", "--tenant", tenant)]
    members = {"meterValue": 5, "version": "1.10", "build": "007", "trial": "true", "dimensions": {"region": "eu"}}
    assert members.items() <= usage.items()


def test_usage_that_is_rejected_again_fails_the_command(metering: Metering, tenant: str) -> None:
    done = metering("rejected", "redrive", "--tenant", tenant, "--set", "meterApiName=calls")
    assert done.returncode == 1
    assert "1 counted, 1 rejected again." in done.stdout
    assert "meterValue must be a number" in done.stdout
    done = metering("rejected", "redrive", "--tenant", tenant, "--json")
    (item_id,) = _list_ids(metering, "--tenant", tenant)
    rejected = {"id": item_id, "reason": "meterValue must be a number, not text"}
    assert (done.returncode, json.loads(done.stdout)) == (1, {"counted": 0, "rejected": [rejected]})


def test_redrive_with_a_replacement(metering: Metering, tenant: str) -> None:
    item_id = _list_ids(metering, "--tenant", tenant)[0]
    usage = json.dumps(_usage(tenant, meterValue=7))
    assert metering("rejected", "redrive", item_id, "--usage", usage).returncode == 0
    assert sandbox_of(metering.system).totals("api-calls") == {tenant: 7}


def test_dropped_usage_is_not_counted_and_remains_listed(metering: Metering, tenant: str) -> None:
    done = metering("rejected", "drop", "--tenant", tenant, "--why", "a test of ours", "--yes")
    assert (done.returncode, "2 dropped." in done.stdout) == (0, True)
    assert metering("rejected", "redrive", "--tenant", tenant).stdout.startswith("0 counted")
    listed = metering.json("rejected", "list", "--all", "--tenant", tenant)
    assert [item["history"][-1]["note"] for item in listed] == ["a test of ours"] * 2


def test_nothing_is_dropped_without_an_answer(metering: Metering, tenant: str) -> None:
    done = metering("rejected", "drop", "--tenant", tenant)
    text = " ".join(done.stderr.split())
    assert (done.returncode, "Drop 2 rejected usages? They are then never billed." in text) == (2, True)
    assert "use --yes" in text
    ids = _list_ids(metering, "--tenant", tenant)
    done = metering("rejected", "drop", "--tenant", tenant, "--json")
    assert (done.returncode, "--json requires --yes" in done.stderr) == (2, True)
    dropped = metering.json("rejected", "drop", "--tenant", tenant, "--yes")
    assert (len(ids), dropped) == (2, {"dropped": ids})


def test_no_item_is_changed_if_one_cannot_be(metering: Metering, tenant: str) -> None:
    text = f"text-{uuid.uuid4()}"
    chunk = [{"eventId": text, "eventTime": "", "index": 0, "usage": text}]
    Runner(metering.system, endpoint=None).run("ingest_usage", {"usages": chunk})
    ids = _list_ids(metering, "--tenant", tenant)
    (wrong,) = [item["id"] for item in metering.json("rejected", "list") if item["unique_id"] == text]
    done = metering("rejected", "redrive", *ids, wrong, "--set", "meterValue=5")
    assert (done.returncode, f"{wrong} is not a JSON object" in done.stderr) == (2, True)
    listed = metering.json("rejected", "list", "--tenant", tenant)
    assert [item["history"] for item in listed] == [[], []]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("redrive",), 2, "select items"),
        (("drop",), 2, "select items"),
        (("drop", "some-id", "--all"), 2, "select items"),
        (("redrive", "no-such-id"), 1, "Rejected usage no-such-id was not found"),
        (("show", "no-such-id"), 1, "Rejected usage no-such-id was not found"),
        (("list", "--tenant", ""), 2, "--tenant is empty; set a value, or omit the option"),
        (("drop", "--meter", "api-calls", "--tenant", ""), 2, "--tenant is empty"),
        (("redrive", "--tenant", "acme", "--meter", " "), 2, "--meter is empty"),
        (("redrive", "--all", "--reason", ""), 2, "--reason is empty"),
        (("redrive", "--all", "--set", "novalue"), 2, "--set must be NAME=VALUE, not 'novalue'"),
    ],
)
def test_invalid_arguments_are_one_line(
    metering: Metering, tenant: str, arguments: tuple[str, ...], code: int, message: str
) -> None:
    assert _list_ids(metering, "--tenant", tenant)
    done = metering("rejected", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert message in done.stderr


def test_a_missing_stack_is_one_line(metering: Metering) -> None:
    done = metering("--stack", "NoSuchStack", "rejected", "list")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "NoSuchStack" in done.stderr
