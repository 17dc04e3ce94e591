"""A thousand random histories, always the same; a hundred thousand longer ones with ``METERING_SOAK=1``."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.histories.machine import IngestMachine
from tests.histories.stack import Stack, running_stack

pytestmark = pytest.mark.long

# Another number, and no shrinking of what fails: for the mutants, whose counterexamples nobody reads.
MUTANT_HISTORIES = os.environ.get("METERING_HISTORIES")
SOAK = bool(os.environ.get("METERING_SOAK"))
# A test for each part of the long form, so that several processes can share it and each part that passes is reported
PARTS = 100 if SOAK and not MUTANT_HISTORIES else 1
HISTORIES = int(MUTANT_HISTORIES or 1_000)
MAX_RULES = 12 if SOAK or MUTANT_HISTORIES else 8
SETTINGS = settings(
    max_examples=HISTORIES,
    stateful_step_count=MAX_RULES,
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=False,
    report_multiple_bugs=False,
    phases=[Phase.generate] if MUTANT_HISTORIES else [Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def stack() -> Iterator[Stack]:
    with running_stack() as running:
        yield running


@pytest.mark.parametrize("part", range(PARTS))
def test_no_history_loses_a_usage_or_counts_it_twice(stack: Stack, part: int) -> None:
    factory: Any = seed(part)(lambda: IngestMachine(stack))
    run_state_machine_as_test(factory, settings=SETTINGS)
