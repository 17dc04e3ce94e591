"""The measurement of the hot path runs, and includes the parts that it names. Its figures are not tested."""

import gzip
import json

from tests.bench.events import build_batch
from tests.bench.hot_path import FLOOR, TOTAL, _build_parts, measure


def test_each_part_is_measured() -> None:
    rows = measure(runs=1)
    assert [row["part"] for row in rows][:2] == [FLOOR, TOTAL]
    assert all(row["microseconds"] > 0 for row in rows)


def test_the_floor_and_the_functions_make_the_same_requests() -> None:
    parts = _build_parts(build_batch(300, 1))
    floor, requests = (
        [json.loads(gzip.decompress(payload)) for payload in parts[name]()]  # type: ignore[attr-defined] # a list
        for name in (FLOOR, TOTAL)
    )
    assert floor == requests
    assert [len(request) for request in requests] == [100, 100, 100]
