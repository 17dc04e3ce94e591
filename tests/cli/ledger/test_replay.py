"""``metering replay`` on a local system whose Amberflo has lost usage."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterable

import msgspec
import pytest

from amberflo_workflows.core.ledger.store import LedgerStore
from tests.cli.ledger.usages import HOUR, HOUR_SECONDS, build_usage
from tests.cli.local_metering import LocalMetering, count_usages
from tests.conftest import sandbox_of
from tests.core.ledger.reports import build_hour, put_part
from tests.entrypoints.calls import Api

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls", "storage")]

RANGE = ("--from", str(HOUR), "--to", str(HOUR + HOUR_SECONDS))


@pytest.fixture
def lossy(metering: LocalMetering, tenant: str) -> LocalMetering:
    """Amberflo has lost three usages of a tenant, one of them under another meter, and one that was cancelled."""
    usages = [build_usage(tenant, number) for number in range(3)]
    count_usages(metering.system, [*usages, build_usage(tenant, 9, 5, meterApiName="storage")])
    assert Api(metering.system).call("DELETE", "usage", {"records": usages[:1]}).status == 200
    sandbox_of(metering.system).delete_records()
    return metering


def _totals(metering: LocalMetering) -> list[float]:
    sandbox = sandbox_of(metering.system)
    return [sum(sandbox.totals(meter).values()) for meter in ("api-calls", "storage")]


def test_a_replay_asks_first_and_then_counts_what_was_lost(lossy: LocalMetering) -> None:
    refused = lossy.run_with_input("n\n", "replay", *RANGE)
    assert (refused.returncode, _totals(lossy)) == (1, [0, 0])
    assert refused.stdout.startswith("3 usages to send; 1 are cancelled, 0 are older than 60 days.\n")
    assert "Send these 3 usages to Amberflo again?" in refused.stderr
    done = lossy.run_with_input("y\n", "replay", *RANGE)
    assert (done.returncode, _totals(lossy)) == (0, [4, 5])
    assert re.fullmatch(
        r"3 usages to send; [^\n]+\n\s*Started replay [\w-]+\n3 usages sent and accepted, 0 rejected; 1 are cancelled, "
        r"0 are older than 60 days\.\n",
        done.stdout,
    )


def test_without_an_answer_nothing_is_sent(lossy: LocalMetering) -> None:
    done = lossy.run_with_input("", "replay", *RANGE)
    assert (done.returncode, _totals(lossy)) == (2, [0, 0])
    assert "use --yes to skip the question" in done.stderr


def test_a_dry_run_sends_nothing(lossy: LocalMetering) -> None:
    result = lossy.json("replay", *RANGE, "--dry-run")
    assert (result["sent"], result["cancelled"], result["dryRun"], _totals(lossy)) == (3, 1, True, [0, 0])
    assert result["execution"].endswith(f":{result['id']}")


@pytest.mark.parametrize(
    ("options", "totals"), [((), [4, 5]), (("--meter", "storage"), [0, 5]), (("--tenant", "nobody"), [0, 0])]
)
def test_replays_without_a_question(lossy: LocalMetering, options: Iterable[str], totals: list[float]) -> None:
    for _ in range(2):
        assert lossy.json("replay", *RANGE, *options, "--yes")["rejected"] == 0
        assert _totals(lossy) == totals


def test_the_missing_hours_of_a_reconciliation(lossy: LocalMetering, tenant: str) -> None:
    store = LedgerStore(lossy.system.client("s3"), lossy.system.outputs["LedgerBucketName"])
    hour = msgspec.structs.replace(build_hour("missing", meter="storage", tenant=tenant), start_time_in_seconds=HOUR)
    put_part(store, "r1", "differences-1", [hour])
    assert lossy.json("replay", "--reconciliation", "r1", "--yes")["sent"] == 1
    assert _totals(lossy) == [0, 5]
    unknown = lossy("replay", "--reconciliation", "r2", "--yes")
    assert (unknown.returncode, "There is no report of a reconciliation 'r2'" in unknown.stderr) == (1, True)


def test_what_a_reconciliation_misses_comes_back(lossy: LocalMetering, tenant: str) -> None:
    until = str(HOUR + HOUR_SECONDS)
    reconcile = ("reconcile", "--from", str(HOUR), "--to", until, "--tenant", tenant, "--lag", "0s")
    drifted = lossy(*reconcile)
    hint = re.search(r"Send it again: metering (replay --reconciliation \S+)\n", drifted.stdout)
    assert drifted.returncode == 1
    assert hint
    assert lossy(*hint[1].split(), "--yes").returncode == 0
    assert _totals(lossy) == [4, 5]
    agreed = lossy(*reconcile)
    assert (agreed.returncode, "Send it again" in agreed.stdout) == (0, False)
    # Until the report of Amberflo is up to date, an hour that was replayed is not settled.
    sandbox_of(lossy.system).delete_records()
    fresh = lossy(*reconcile[:-1], "1h")
    assert (fresh.returncode, "2 too fresh to tell" in fresh.stdout) == (0, True)


def test_nothing_to_send_is_not_asked_about(metering: LocalMetering) -> None:
    done = metering.run_with_input("", "replay", *RANGE)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("0 usages to send;")


def test_rejected_usage_is_an_exit_code(lossy: LocalMetering) -> None:
    sandbox_of(lossy.system).set_faults([{"kind": "status", "status": 400, "path": "/ingest", "times": 2}])
    done = lossy("replay", *RANGE, "--yes")
    assert (done.returncode, "2 usages sent and accepted, 1 rejected" in done.stdout) == (1, True)
    assert done.stdout.endswith("See: metering rejected list\n")


def test_an_interrupted_command_says_that_the_execution_goes_on(lossy: LocalMetering) -> None:
    # The slice waits for Amberflo, so that the command is interrupted while it runs.
    sandbox_of(lossy.system).set_faults([{"kind": "hang", "seconds": 3, "path": "/ingest", "times": 1}])
    process = subprocess.Popen(
        lossy.command("replay", *RANGE, "--yes"),
        env=lossy.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    started = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    replay_id = started.rpartition(" ")[2].strip()
    assert process.returncode == 130
    assert re.search(rf"The execution goes on\. See: metering executions show \S+:{replay_id}\n", errors)
    deadline = time.monotonic() + 60
    while Api(lossy.system).call("GET", f"replays/{replay_id}").body["data"]["status"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert _totals(lossy) == [4, 5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "set --from, or --reconciliation"),
        (("--from", "1h", "--to", "3h"), "--from is not before --to"),
        (("--from", "1h", "--json"), "--json requires --yes or --dry-run"),
        (("--from", "1h", "--reconciliation", "r"), "omit --from, --to, --meter and --tenant"),
        (("--reconciliation", "r", "--tenant", "t"), "omit --from, --to, --meter and --tenant"),
        (("--from", "1h", "--tenant", ""), "--tenant is empty"),
    ],
)
def test_invalid_options(metering: LocalMetering, options: tuple[str, ...], message: str) -> None:
    done = metering("replay", *options)
    assert (done.returncode, message in done.stderr) == (2, True)


def test_a_range_that_the_api_rejects(metering: LocalMetering) -> None:
    done = metering("replay", "--from", "62d", "--dry-run")
    assert (done.returncode, "The range is longer than 61 days" in done.stderr) == (1, True)


def test_a_range_until_now(metering: LocalMetering) -> None:
    assert json.loads(metering("replay", "--from", "1h", "--dry-run", "--json").stdout)["sent"] == 0
