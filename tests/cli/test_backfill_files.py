"""Files that ``metering backfill`` and ``backfill_usage`` read, and those that they cannot read."""

import gzip
import os
from pathlib import Path

import pytest

from amberflo_workflows.local.system import System
from tests.cli.backfill_files import (
    COLUMNS,
    build_csv,
    build_rows,
    compute_totals,
    read_totals,
    run_backfill,
    upload_file,
    write_file,
)
from tests.cli.metering import Metering

pytestmark = [pytest.mark.emulator, pytest.mark.meters("api-calls")]


@pytest.fixture
def metering(system: System, tmp_path: Path) -> Metering:
    return Metering(system, tmp_path / "home")


def test_free_text_of_a_tenant_is_never_a_row(metering: Metering, tmp_path: Path) -> None:
    rows = build_rows(6_500, region='hello\nbolt,api-calls,5000,1700000000000,x\n"bye"')
    files = [
        write_file(tmp_path / "text.csv", build_csv(rows)),
        write_file(tmp_path / "text.csv.gz", gzip.compress(build_csv(rows))),
        upload_file(metering.system, "text.csv", build_csv(rows)),
        upload_file(metering.system, "text.csv.gz", gzip.compress(build_csv(rows))),
    ]
    for file in files:
        report = metering.json("backfill", file, "--map", "tenantId=customer", "--name", "text")
        assert (report["accepted"], report["rejected"], report.get("ranges", 1) > 1) == (6_500, 0, file == files[2])
        assert read_totals(metering) == compute_totals(rows)


_HEADER = ",".join(COLUMNS).encode() + b"\n"


@pytest.mark.parametrize("place", ["local", "dry run", "s3"])
@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("open.csv", _HEADER + b'acme,m,1,1,"eu\nglobex,m,1,1,eu\n', "The row at byte 58 has a quote that does not"),
        ("open.csv.gz", gzip.compress(_HEADER + b'acme,m,1,1,"eu\n'), "The row at byte 58 has a quote that does not"),
        ("cut.csv.gz", gzip.compress(_HEADER + b"acme,m,1,1,eu\n" * 9_000)[:-20], "not a complete gzip file"),
        ("damaged.ndjson.gz", gzip.compress(b"{}" * 99)[:12] + b"\xff" * 40, "not a complete gzip file"),
        ("wide.csv", _HEADER.decode().encode("utf-16-le"), "looks like UTF-16 or UTF-32. Save it as UTF-8"),
        ("latin.csv", b"caf\xe9," + _HEADER, "the byte 0xe9 is not UTF-8; save the file as UTF-8"),
        ("pandas.csv", b"," + _HEADER, "Column 1 of 6 has no name"),
    ],
    ids=["open", "open gzip", "cut", "damaged", "utf-16", "latin", "pandas"],
)
def test_an_odd_file_is_one_sentence(
    metering: Metering, tmp_path: Path, *, place: str, name: str, data: bytes, message: str
) -> None:
    file = upload_file(metering.system, name, data) if place == "s3" else write_file(tmp_path / name, data)
    options = ("--dry-run",) if place == "dry run" else ()
    done = metering("backfill", file, "--map", "tenantId=customer", *options)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert message in done.stderr


@pytest.mark.parametrize("name", ["open.csv", "cut.csv.gz"])
def test_the_workflow_returns_a_400_for_an_odd_file(metering: Metering, name: str) -> None:
    contents = {
        "open.csv": _HEADER + b'acme,m,1,1,"eu\n',
        "cut.csv.gz": gzip.compress(_HEADER + b"acme,m,1,1,eu\n" * 9_000)[:-20],
    }
    upload_file(metering.system, name, contents[name])
    response = run_backfill(metering.system, key=name, columns={"tenantId": "customer"})
    assert response["statusCode"] == 400


def test_the_content_decides_how_a_file_is_read(metering: Metering, tmp_path: Path) -> None:
    """Each has the same rows, so all of them count once; what is decoded first has the same positions."""
    rows = build_rows(400)
    text = build_csv(rows)
    contents = {
        "packed.csv": gzip.compress(text),
        "plain.csv.gz": text,
        "wide.csv": text.decode().encode("utf-16"),
        "cr.csv": text.replace(b"\r\n", b"\r"),
        "lf.csv": text.replace(b"\r\n", b"\n"),
    }
    for name, data in contents.items():
        options = ("--map", "tenantId=customer")
        assert metering.json("backfill", write_file(tmp_path / name, data), *options, "--dry-run")["accepted"] == 400
        for file in (write_file(tmp_path / name, data), upload_file(metering.system, name, data)):
            report = metering.json("backfill", file, *options)
            assert (report["accepted"], report["rejected"]) == (400, 0), file
    expected = {tenant: 2 * total for tenant, total in compute_totals(rows).items()}
    assert read_totals(metering) == expected


def test_a_file_with_a_header_only_has_no_usage(metering: Metering, tmp_path: Path) -> None:
    for file in (write_file(tmp_path / "none.csv", _HEADER), upload_file(metering.system, "none.csv", _HEADER)):
        report = metering.json("backfill", file, "--map", "tenantId=customer")
        assert (report["accepted"], report["rejected"]) == (0, 0)


def test_a_name_that_cannot_identify_rows_is_one_sentence(metering: Metering, tmp_path: Path) -> None:
    file = write_file(tmp_path / "usage.csv", build_csv(build_rows(1)))
    for name, message in (("n" * 151, "The name has 151 characters"), (os.fsdecode(b"caf\xe9"), "Set it in UTF-8")):
        done = metering("backfill", file, "--map", "tenantId=customer", "--name", name)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert message in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("none.csv",), 1, "none.csv cannot be read: No such file"),
        (("usage.txt",), 1, "The name usage.txt does not show the format."),
        (("usage.txt", "--format", "csv"), 1, "The file has no column for tenantId"),
        (("usage.txt", "--format", "csv", "--map", "tenantId"), 2, "--map must be MEMBER=…, not 'tenantId'"),
        (("usage.txt", "--format", "csv", "--map", "tenantId=tenant"), 1, "The file has no column 'tenant'"),
        (("broken.csv.gz",), 1, "broken.csv.gz is not a complete gzip file"),
        (("s3://nobucket",), 1, "which has the form s3://BUCKET/KEY"),
        (("s3://nobucket/key.csv",), 1, "s3://nobucket/key.csv cannot be read"),
    ],
)
def test_an_unreadable_file_is_one_line(
    metering: Metering, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    write_file(tmp_path / "usage.txt", build_csv(build_rows(1)))
    write_file(tmp_path / "broken.csv.gz", gzip.compress(build_csv(build_rows(100)))[:-20])
    file = arguments[0] if arguments[0].startswith("s3:") else str(tmp_path / arguments[0])
    done = metering("backfill", file, *arguments[1:])
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert message in done.stderr
