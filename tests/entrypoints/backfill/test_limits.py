"""What a backfill's states hand on, for the largest object of S3 and the longest header, fits into 262,144 bytes."""

import json
from typing import Any

import msgspec
import pytest

from amberflo_workflows.core.s3_object import S3Object
from amberflo_workflows.core.usage_file import FileLayout, FileOptions, InvalidFile, read_layout
from amberflo_workflows.tasks.backfill_plan import MAX_RANGES, RANGE_BYTES, _ranges

STATE_BYTES = 262_144
LARGEST_OBJECT = 50 * 2**40
NEEDED = "tenantId,meterApiName,meterValue"


def _header(size: int) -> bytes:
    """A header of so many bytes, with the columns as short as they can be, which takes most room as JSON."""
    columns = [NEEDED]
    length = len(NEEDED)
    number = 0
    while length + 6 <= size:
        columns.append(f"{number:05}")
        length += 6
        number += 1
    return (",".join(columns) + "x" * (size - length) + "\n").encode()


def _reading(size: int = 0) -> FileOptions:
    reading = FileOptions("f.csv", "csv")
    if size:
        reading.constants = {"note": ""}
        reading.constants["note"] = "n" * (size - len(msgspec.json.encode(reading)))
    return reading


def _size(value: Any) -> int:
    return len(json.dumps(msgspec.to_builtins(value), ensure_ascii=False).encode())


def test_the_longest_layout_and_the_most_ranges_fit_into_a_state() -> None:
    layout = read_layout(_reading(50_000), [_header(50_000)])
    ranges = _ranges(layout, LARGEST_OBJECT, packed=False)
    assert len(ranges) == MAX_RANGES
    found = S3Object("b" * 63, "k" * 1_024, "e" * 40)
    planned = {"object": msgspec.to_builtins(found), "layout": msgspec.to_builtins(layout), "ranges": ranges}
    assert 200_000 < _size(planned) <= STATE_BYTES
    outcomes = [{"accepted": 10**10, "rejected": 10**10, "failed": 0}] * MAX_RANGES
    assert _size({"ranges": outcomes}) <= STATE_BYTES


def test_an_object_is_cut_into_small_ranges_as_long_as_that_is_not_too_many() -> None:
    layout = FileLayout(_reading(), [], 0)
    assert len(_ranges(layout, RANGE_BYTES * MAX_RANGES, packed=False)) == MAX_RANGES
    assert len(_ranges(layout, RANGE_BYTES * MAX_RANGES + 1, packed=False)) <= MAX_RANGES


@pytest.mark.parametrize("size", [50_001, 500_000])
def test_a_longer_header_says_that_this_may_be_no_csv(size: int) -> None:
    with pytest.raises(InvalidFile, match="Is it a CSV file"):
        read_layout(_reading(), [_header(size)])


def test_a_longer_way_to_read_it_is_told() -> None:
    with pytest.raises(InvalidFile, match="told in 50,001 bytes; it may be 50,000"):
        read_layout(_reading(50_001), [_header(100)])
