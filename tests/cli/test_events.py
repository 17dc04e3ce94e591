import csv
import gzip
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from amberflo_workflows.cli.main import app
from amberflo_workflows.local.system import System
from tests.cli.forked import CommandResult
from tests.cli.local_metering import LocalMetering
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.emit.bus import DENIED, Bus, BusResponse
from tests.polling import wait_until

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]

NOW = int(time.time() * 1000)
REJECTED = BusResponse(failed_entries={0: "Odd"}, accepts=False)


@pytest.fixture
def metering(system: System, tmp_path: Path) -> LocalMetering:
    return LocalMetering.of(system, tmp_path / "home")


@pytest.fixture
def bus() -> Iterator[Bus]:
    bus = Bus()
    yield bus
    bus.end()


def _usage(number: int, **fields: Any) -> dict[str, Any]:
    usage = {"tenantId": "acme", "meterApiName": "api-calls", "meterValue": 1, "meterTimeInMillis": NOW - number}
    return {**usage, "region": "eu", **fields}


def _csv(path: Path, rows: list[dict[str, Any]]) -> str:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def _wait_until_counted(system: System, **totals: float) -> bool:
    return wait_until(lambda: sandbox_of(system).totals("api-calls") == totals)


def _send_to(bus: Bus, system: System, *arguments: str) -> CommandResult:
    """Send events with ``--stack``, where ``bus`` stands in for EventBridge."""
    metering = Metering(system, Path(os.devnull))
    return metering.run_with_input("", "events", "send", *arguments, AWS_ENDPOINT_URL_EVENTBRIDGE=bus.url)


def test_a_file_that_is_sent_twice_counts_once(metering: LocalMetering, tmp_path: Path) -> None:
    rows = [_usage(number) for number in range(350)]
    file = _csv(tmp_path / "usage.csv", rows)
    sandbox_of(metering.system).clear_requests()
    assert metering("events", "send", file).stdout == "350 sent, 0 invalid.\n"
    output = metering.json("events", "send", file)
    assert output == {"sent": 350, "refused": [], "notSent": [], "error": None, "stopped": None}
    assert wait_until(lambda: sandbox_of(metering.system).requests()["records"] >= 700)
    assert _wait_until_counted(metering.system, acme=350)


def test_usages_from_stdin_or_an_option_are_new_each_time(metering: LocalMetering) -> None:
    lines = json.dumps(_usage(1)) + "\n" + json.dumps({**_usage(2), "meterTimeInMillis": None})
    for _ in range(2):
        assert metering.run_with_input(lines, "events", "send", "-").stdout == "2 sent, 0 invalid.\n"
    detail = json.dumps({"records": [_usage(3, tenantId="globex"), _usage(4, tenantId="globex")]})
    assert metering("events", "send", "--detail", detail).returncode == 0
    assert _wait_until_counted(metering.system, acme=4, globex=2)


def test_invalid_usages_are_reported_and_the_rest_is_sent(metering: LocalMetering, tmp_path: Path) -> None:
    usages = [_usage(1), _usage(2, meterValue="five"), _usage(3, meterTimeInMillis=1), _usage(4, **{"\x1b[31m": []})]
    lines = [json.dumps(usage) for usage in usages]
    file = tmp_path / "usage.ndjson.gz"
    file.write_bytes(gzip.compress("\n".join([*lines, "{broken"]).encode()))
    done = metering("events", "send", str(file))
    positions = [sum(len(line) + 1 for line in lines[:number]) for number in range(1, 5)]
    first, *rows = done.stdout.splitlines()
    assert first == "1 sent, 4 invalid."
    # Before the colon is the digest of the row's text.
    assert [row.partition(":")[2] for row in rows] == [
        f"{positions[0]}  meterValue must be a number, not text",
        f"{positions[1]}  it is more than 60 days old",
        rf"{positions[2]}  the dimension '\x1b[31m' must be a plain value, not a list",
        f"{positions[3]}  a usage must be an object, not text",
    ]
    assert done.returncode == 1
    assert _wait_until_counted(metering.system, acme=1)


def test_a_file_is_sent_up_to_the_first_line_that_is_too_long(metering: LocalMetering, tmp_path: Path) -> None:
    file = tmp_path / "usage.ndjson"
    file.write_text(json.dumps(_usage(1)) + "\n" + "x" * 1_100_000)
    output = json.loads(metering("events", "send", str(file), "--json").stdout)
    assert (output["sent"], "does not end within 1,000,000 bytes" in output["stopped"]) == (1, True)
    assert _wait_until_counted(metering.system, acme=1)


def test_usages_are_sent_in_batches(system: System, bus: Bus, tmp_path: Path) -> None:
    file = _csv(tmp_path / "usage.csv", [_usage(number) for number in range(301)])
    done = _send_to(bus, system, file, "--source", "my.app")
    assert (done.returncode, done.stdout) == (0, "301 sent, 0 invalid.\n")
    assert len(bus.arrived) == 301
    (entries,) = bus.calls
    assert [len(json.loads(entry["Detail"])["records"]) for entry in entries] == [300, 1]
    assert [entry["Source"] for entry in entries] == ["my.app"] * 2
    assert [entry["EventBusName"] for entry in entries] == [system.outputs["EventBusName"]] * 2


def test_usages_that_cannot_be_sent_are_printed_and_can_be_sent_later(
    metering: LocalMetering, bus: Bus, tmp_path: Path
) -> None:
    bus.default_response = DENIED
    file = _csv(tmp_path / "usage.csv", [_usage(1), _usage(2)])
    done = _send_to(bus, metering.system, file)
    first, second, *lines = done.stdout.splitlines()
    assert (done.returncode, first) == (1, "0 sent, 0 invalid.")
    assert second.startswith("2 could not be sent (AccessDeniedException).")
    header, row, _ = Path(file).read_bytes().splitlines(keepends=True)
    positions = [str(len(header)), str(len(header) + len(row))]
    assert [json.loads(line)["uniqueId"].partition(":")[2] for line in lines] == positions
    assert metering.run_with_input("\n".join(lines), "events", "send", "-").returncode == 0
    assert _wait_until_counted(metering.system, acme=2)


def test_an_event_with_a_type_is_sent_as_it_is(metering: LocalMetering) -> None:
    detail = json.dumps({"tenantId": "acme", "tenantName": "Acme"})
    output = metering.json("events", "send", "--type", "onboardingRequest", "--detail", detail)
    assert (output["detailType"], len(output["eventId"])) == ("onboardingRequest", 36)
    assert wait_until(lambda: "acme" in sandbox_of(metering.system).customers())


@pytest.mark.parametrize(
    ("response", "message"),
    [(DENIED, "AWS: An error occurred (AccessDeniedException)"), (REJECTED, "EventBridge rejected the event: Odd")],
)
def test_a_rejected_event_is_one_line(system: System, bus: Bus, response: BusResponse, message: str) -> None:
    bus.default_response = response
    detail = json.dumps({"records": [_usage(1)]})
    done = _send_to(bus, system, "--type", "ingestUsage", "--detail", detail)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
    assert message in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "FILE, - for the standard input, or --detail JSON is required"),
        (("usage.csv", "--detail", "{}"), 2, "or --detail JSON is required"),
        (("usage.csv", "--type", "ingestUsage"), 2, "--type requires --detail"),
        (("--detail", "{"), 2, "--detail is not valid JSON"),
        (("--detail", "[]"), 2, "--detail must be a JSON object"),
        (("no-such-file.csv",), 1, "no-such-file.csv cannot be read"),
        (("usage.txt",), 1, "The name usage.txt does not show the format."),
    ],
)
def test_invalid_arguments_are_one_line(tmp_path: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    done = CliRunner().invoke(app, ["events", "send", *arguments], env={"METERING_HOME": str(tmp_path)})
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (code, "", 1), done
    assert message in done.stderr
