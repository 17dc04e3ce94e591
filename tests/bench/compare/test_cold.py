"""The measurement of cold starts runs, and fails if a function does. Its figures are not tested."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.compare.cold import measure_functions
from tests.bench.compare.functions import METER_ID, ONE_LAMBDA, build_http_event, build_one_lambda
from tests.bench.compare.large_events import build_large_functions
from tests.bench.compare.services import Services, running_services


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with running_services(tmp_path) as running:
        yield running


def test_a_fresh_process_is_measured(services: Services, tmp_path: Path) -> None:
    function = build_one_lambda(services.url, build_http_event("GET", f"/meters/{METER_ID}"))
    start = measure_functions([function], services, tmp_path, runs=1)[ONE_LAMBDA]
    assert start.function == function
    assert all(phase.processor > 0 for phase in (start.init, start.first, start.warm))


def test_the_largest_events_are_handled(services: Services, tmp_path: Path) -> None:
    functions = build_large_functions(services.url, tmp_path / "cdk.out")
    starts = measure_functions(functions, services, tmp_path, runs=1, warm_calls=1)
    assert starts.keys() == {"ingest_queue", "send_usages", "list_meters", "fetch_usage"}
    # The kernel counts it on Linux only.
    assert all(start.peak_bytes > 1_000_000 for start in starts.values()) or not Path("/proc").exists()


def test_a_failed_invocation_is_an_error(services: Services, tmp_path: Path) -> None:
    function = build_one_lambda(services.url, build_http_event("GET", "/meters/unknown"))
    with pytest.raises(RuntimeError, match="one Lambda failed"):
        measure_functions([function], services, tmp_path, runs=1)


def test_an_untrusted_server_is_an_error(services: Services, tmp_path: Path) -> None:
    function = build_one_lambda(services.url, build_http_event("GET", f"/meters/{METER_ID}"))
    untrusted = replace(function, environment={**function.environment, "AWS_CA_BUNDLE": "/dev/null"})
    with pytest.raises(RuntimeError, match="SSL"):
        measure_functions([untrusted], services, tmp_path, runs=1)
