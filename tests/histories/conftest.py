from collections.abc import Iterator

import coverage
import pytest


@pytest.fixture(autouse=True)
def unmeasured() -> Iterator[None]:
    """Run without the measurement of coverage, which would take half of the time; other tests reach the same lines."""
    measurement = coverage.Coverage.current()
    if measurement is None:
        yield
        return
    measurement.stop()
    yield
    measurement.start()
