from collections.abc import Iterator
from typing import Any

import pytest

from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.core.file_options import FileOptions
from amberflo_workflows.core.file_rows import FileRow
from amberflo_workflows.core.sent_files import describe_difference, forget, remember
from amberflo_workflows.local.emulator import Emulator

pytestmark = pytest.mark.emulator

BUCKET = "files-of-test"
ROW = FileRow(30, 60, b"acme,m,1")
OPTIONS = FileOptions("", "csv", ignore=["note", "id"])


@pytest.fixture
def s3(emulator: Emulator) -> Iterator[Any]:
    client = emulator.client("s3")
    client.create_bucket(Bucket=BUCKET)
    yield client
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])
    client.delete_bucket(Bucket=BUCKET)


def test_a_file_is_new_once(s3: Any) -> None:
    assert remember(s3, BUCKET, OPTIONS, ROW, is_cancelled=False)
    # A later run that counts nothing must not make it new again, as what an earlier run counted is still there.
    assert not remember(s3, BUCKET, OPTIONS, ROW, is_cancelled=False)
    assert not remember(s3, BUCKET, FileOptions("", "csv", ignore=["id", "note"]), ROW, is_cancelled=False)


def test_other_options_are_refused_unless_the_usage_is_cancelled(s3: Any) -> None:
    other = FileOptions("", "csv", only=["region"])
    assert describe_difference(s3, BUCKET, other, ROW) == ""
    remember(s3, BUCKET, OPTIONS, ROW, is_cancelled=False)
    difference = 'with ignore=["id","note"], only=[], and now it has ignore=[], only=["region"]'
    assert difference in describe_difference(s3, BUCKET, other, ROW)
    with pytest.raises(InvalidFile, match="would count twice"):
        remember(s3, BUCKET, other, ROW, is_cancelled=False)
    assert not remember(s3, BUCKET, other, ROW, is_cancelled=True)
    assert describe_difference(s3, BUCKET, other, ROW) == ""
    assert describe_difference(s3, BUCKET, OPTIONS, ROW) != ""


@pytest.mark.parametrize(
    ("options", "row"),
    [
        (FileOptions("server-2", "csv"), ROW),
        (FileOptions("", "csv"), ROW._replace(start=31)),
        (FileOptions("", "csv"), ROW._replace(text=b"acme,m,2")),
    ],
    ids=["name", "position", "text"],
)
def test_another_name_or_first_row_is_another_file(s3: Any, options: FileOptions, row: FileRow) -> None:
    remember(s3, BUCKET, OPTIONS, ROW, is_cancelled=False)
    assert remember(s3, BUCKET, options, row, is_cancelled=False)


def test_a_file_that_is_forgotten_is_new(s3: Any) -> None:
    remember(s3, BUCKET, OPTIONS, ROW, is_cancelled=False)
    forget(s3, BUCKET, OPTIONS, ROW)
    assert remember(s3, BUCKET, FileOptions("", "csv"), ROW, is_cancelled=False)
