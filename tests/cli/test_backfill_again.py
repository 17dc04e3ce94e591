"""A file that is sent again with other options: no row counts twice."""

import gzip
import json
import time
from pathlib import Path

import pytest

from amberflo_workflows.local.system import System
from tests.cli.backfill_files import run_backfill, upload_file, write_file
from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.polling import wait_until

pytestmark = [pytest.mark.emulator, pytest.mark.meters("m", "other")]

CHANGES: list[tuple[str, ...]] = [
    ("--ignore", "note"),
    ("--only", "region"),
    ("--map", "meterValue=second", "--ignore", "meterValue"),
    ("--set", "plan=gold"),
    ("--time-zone", "+02:00"),
]


@pytest.fixture
def metering(system: System, tmp_path: Path) -> Metering:
    return Metering(system, tmp_path / "home")


def _csv(*rows: str) -> bytes:
    header = "tenantId,meterApiName,meterValue,second,time,region,note"
    return "\n".join([header, *rows, ""]).encode()


def _row(value: object = 1, *, name: str = "m", note: str = "hello") -> str:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - 7_200))
    return f"acme,{name},{value},10,{moment},eu,{note}"


def _put(metering: Metering, folder: Path, place: str, data: bytes) -> str:
    if place == "s3":
        return upload_file(metering.system, "usage.csv", data)
    return write_file(folder / "usage.csv", data)


def _total(metering: Metering, name: str = "m") -> dict[str, float]:
    return sandbox_of(metering.system).totals(name)


@pytest.mark.parametrize("change", CHANGES, ids=[" ".join(change) for change in CHANGES])
def test_a_file_is_not_sent_with_other_options(metering: Metering, tmp_path: Path, change: tuple[str, ...]) -> None:
    file = write_file(tmp_path / "usage.csv", _csv(_row(), _row(2)))
    assert metering.json("backfill", file)["accepted"] == 2
    done = metering("backfill", file, *change)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    for text in ("would count twice", "--only-refused", "--after-cancellation", "--name"):
        assert text in done.stderr
    assert "Warning: The rows would count twice" in metering("backfill", file, *change, "--dry-run").stdout
    assert metering.json("backfill", file)["accepted"] == 2
    assert _total(metering) == {"acme": 3}


@pytest.mark.parametrize("first_place", ["local", "s3"])
def test_the_same_rows_are_the_same_file_in_every_place(metering: Metering, tmp_path: Path, first_place: str) -> None:
    data = _csv(_row(), _row(2))
    assert metering.json("backfill", _put(metering, tmp_path, first_place, data))["accepted"] == 2
    others = [
        _put(metering, tmp_path, "local" if first_place == "s3" else "s3", data),
        write_file(tmp_path / "copy.csv.gz", gzip.compress(data)),
        # Rows that were appended do not make it another file.
        write_file(tmp_path / "appended.csv", data + _row(3).encode() + b"\n"),
    ]
    for file in others:
        assert "would count twice" in metering("backfill", file, "--ignore", "note").stderr
    upload_file(metering.system, "usage.csv", data)
    response = run_backfill(metering.system, key="usage.csv", ignore=["note"])
    assert (response["statusCode"], "would count twice" in response["body"]["message"]) == (400, True)
    assert _total(metering) == {"acme": 3}
    assert metering.json("backfill", others[-1])["accepted"] == 3
    assert _total(metering) == {"acme": 6}


def test_equal_rows_that_are_other_usage_are_sent_under_a_name(metering: Metering, tmp_path: Path) -> None:
    file = write_file(tmp_path / "usage.csv", _csv(_row()))
    assert metering.json("backfill", file)["accepted"] == 1
    other = ("--set", "tenantId=globex", "--ignore", "tenantId")
    assert metering("backfill", file, *other).returncode == 1
    assert metering.json("backfill", file, *other, "--name", "globex")["accepted"] == 1
    assert _total(metering) == {"acme": 1, "globex": 1}


def test_the_order_of_options_is_not_another_option(metering: Metering, tmp_path: Path) -> None:
    file = write_file(tmp_path / "usage.csv", _csv(_row()))
    for options in (("--ignore", "note", "--ignore", "region"), ("--ignore", "region", "--ignore", "note")):
        assert metering.json("backfill", file, *options)["accepted"] == 1
    assert _total(metering) == {"acme": 1}


@pytest.mark.parametrize("place", ["local", "s3"])
def test_a_file_is_sent_with_other_options_after_a_cancellation(metering: Metering, tmp_path: Path, place: str) -> None:
    data = _csv(_row())
    file = (
        upload_file(metering.system, "usage.csv", data) if place == "s3" else write_file(tmp_path / "usage.csv", data)
    )
    assert metering.json("backfill", file)["accepted"] == 1
    end = int(time.time()) + 1
    wait_until(lambda: time.time() > end, 5)
    cancel = ("usage", "cancel", "m", "--from", str(end - 600), "--to", str(end), "--yes")
    assert metering(*cancel).returncode == 0
    assert _total(metering) == {}
    options = ("--map", "meterValue=second", "--ignore", "meterValue", "--after-cancellation")
    assert metering.json("backfill", file, *options)["accepted"] == 1
    assert _total(metering) == {"acme": 10}
    # These are the options of the file now.
    assert metering("backfill", file).returncode == 1
    assert metering.json("backfill", file, *options[:4])["accepted"] == 1


def test_a_file_of_which_nothing_was_counted_is_sent_with_other_options(metering: Metering, tmp_path: Path) -> None:
    file = write_file(tmp_path / "usage.csv", _csv(_row("five"), _row("six")))
    assert metering("backfill", file).returncode == 1
    assert metering.json("backfill", file, "--map", "meterValue=second", "--ignore", "meterValue")["accepted"] == 2
    assert _total(metering) == {"acme": 20}


@pytest.mark.parametrize("place", ["local", "s3"])
def test_only_refused_sends_the_rejected_rows_as_they_are_read_now(
    metering: Metering, tmp_path: Path, place: str
) -> None:
    data = _csv(_row(1), _row("five"), _row(2, note="x" * 201), _row("six", name="ohter"), _row(4, name="ohter"))
    file = (
        upload_file(metering.system, "usage.csv", data) if place == "s3" else write_file(tmp_path / "usage.csv", data)
    )
    assert metering("backfill", file).returncode == 1
    assert _total(metering) == {"acme": 1}
    options = ("--ignore", "note", "--map", "meterValue=second", "--ignore", "meterValue", "--only-refused")
    done = metering("backfill", file, *options)
    assert (done.returncode, done.stdout) == (1, "2 counted, 2 still rejected; see: metering rejected list\n")
    assert _total(metering) == {"acme": 21}
    # The items that are counted are closed, so that a redrive does not send them again.
    assert len(metering.json("rejected", "list")) == 2
    result = metering.json("backfill", file, *options, "--set", "meterApiName=other", "--ignore", "meterApiName")
    assert result == {"accepted": 2, "rejected": 0}
    assert metering.json("backfill", file, *options) == {"accepted": 0, "rejected": 0}
    assert (_total(metering), _total(metering, "other")) == ({"acme": 21}, {"acme": 20})


def test_a_row_without_a_time_gets_the_one_that_is_read_now(metering: Metering, tmp_path: Path) -> None:
    seconds = int(time.time()) - 7_200
    usage, day = {"tenantId": "acme", "meterApiName": "m"}, time.strftime("%d.%m.%Y", time.gmtime(seconds))
    rows = [{**usage, "meterValue": 3, "at": day}, {**usage, "meterValue": 4, "time": seconds}]
    file = write_file(tmp_path / "usage.ndjson", "\n".join(map(json.dumps, rows)).encode())
    assert metering("backfill", file).returncode == 1
    done = metering("backfill", file, "--map", "time=at", "--time-format", "%d.%m.%Y", "--only-refused")
    assert done.stdout == "1 counted, 0 still rejected; see: metering rejected list\n"
    assert _total(metering) == {"acme": 7}
