"""The measurement ends, whatever happens to the usage."""

import pytest

from tests.bench.drain import wait_until_counted


def test_usage_that_is_no_longer_counted_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="only 2 of 3 were counted"):
        wait_until_counted(lambda: 2, 3, max_idle_seconds=0)


def test_it_waits_while_usage_is_counted() -> None:
    counts = iter([1, 2, 3])
    wait_until_counted(lambda: next(counts), 3, max_idle_seconds=60)
    assert next(counts, None) is None
