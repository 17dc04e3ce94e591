"""The output of a backfill's states fits into 262,144 bytes, for the largest S3 object and the longest header."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.core.file_options import FileOptions
from amberflo_workflows.core.s3_object import S3Object
from amberflo_workflows.core.usage_file import read_layout
from amberflo_workflows.tasks.backfill_plan import (
    MAX_RANGES,
    MAX_READ_BYTES,
    RANGE_BYTES,
    _limit_bytes,
    _split_csv,
    _split_into_ranges,
)

STATE_BYTES = 262_144
MAX_OBJECT_BYTES = 50 * 2**40
REQUIRED_COLUMNS = "tenantId,meterApiName,meterValue"


def _header(size: int) -> bytes:
    """Return a header of that size with columns as short as possible, which are the longest in JSON."""
    columns = [REQUIRED_COLUMNS]
    length = len(REQUIRED_COLUMNS)
    number = 0
    while length + 6 <= size:
        columns.append(f"{number:05}")
        length += 6
        number += 1
    return (",".join(columns) + "x" * (size - length) + "\n").encode()


def _options(size: int = 0) -> FileOptions:
    options = FileOptions("f.csv", "csv")
    if size:
        options.constants = {"note": ""}
        options.constants["note"] = "n" * (size - len(msgspec.json.encode(options)))
    return options


def _size(value: Any) -> int:
    return len(json.dumps(msgspec.to_builtins(value), ensure_ascii=False).encode())


def test_the_largest_layout_and_the_maximum_of_ranges_fit_into_a_state() -> None:
    layout = read_layout(_options(50_000), [_header(50_000)])
    ranges = _split_into_ranges(MAX_OBJECT_BYTES)
    assert len(ranges) == MAX_RANGES
    s3_object = S3Object("b" * 63, "k" * 1_024, "e" * 40, is_encoded=False)
    plan = {"object": msgspec.to_builtins(s3_object), "layout": msgspec.to_builtins(layout), "ranges": ranges}
    assert 200_000 < _size(plan) <= STATE_BYTES
    outcomes = [{"accepted": 10**10, "rejected": 10**10, "failed": 0}] * MAX_RANGES
    assert _size({"ranges": outcomes}) <= STATE_BYTES


def test_ranges_are_small_unless_there_would_be_too_many() -> None:
    assert len(_split_into_ranges(RANGE_BYTES * MAX_RANGES)) == MAX_RANGES
    assert len(_split_into_ranges(RANGE_BYTES * MAX_RANGES + 1)) <= MAX_RANGES


@pytest.mark.parametrize("size", [50_001, 500_000])
def test_a_header_that_is_too_long_is_an_error(size: int) -> None:
    with pytest.raises(InvalidFile, match="Is it a CSV file"):
        read_layout(_options(), [_header(size)])


def test_options_that_are_too_long_are_an_error() -> None:
    with pytest.raises(InvalidFile, match="have 50,001 bytes; the limit is 50,000"):
        read_layout(_options(50_001), [_header(100)])


def test_a_file_that_is_too_large_to_be_read_completely_is_an_error() -> None:
    """By its size, or as a small gzip file with a large content."""
    layout = read_layout(_options(), [_header(100)])
    with pytest.raises(InvalidFile, match="more than 2,000,000,000 decoded bytes"):
        _split_csv(S3Object("bucket", "key.csv", "etag", is_encoded=False), layout, MAX_READ_BYTES + 1)

    def read_zeros() -> Iterator[bytes]:
        piece = bytes(1 << 20)
        while True:
            yield piece

    with pytest.raises(InvalidFile, match="Split it into several files, or convert it"):
        for _ in _limit_bytes(read_zeros()):
            pass
