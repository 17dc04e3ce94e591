"""Sums of the ledger: exact for every order, and without what was cancelled."""

import math
import random
import sys

import pytest

from amberflo_workflows.core.ledger.totals import ExactSum, Hour, add_up
from amberflo_workflows.core.ledger.usages import LedgerUsage
from tests.core.ledger.entries import START, build_record


def _usage(
    number: int, second: int = 0, value: float = 0.1, *, cancelled_by: str = "", changed: str = ""
) -> LedgerUsage:
    return LedgerUsage(build_record(number, second, value), b"", [], cancelled_by, changed)


def _add_up(*usages: LedgerUsage) -> dict[Hour, float]:
    return {hour: total.value for hour, total in add_up(usages).items()}


def test_an_hour_starts_at_its_first_millisecond() -> None:
    usages = [_usage(number, second, 1) for number, second in enumerate((-1, 0, 3599, 3600))]
    assert _add_up(*usages) == {
        Hour("m", "t", START + offset): sum_ for offset, sum_ in ((-3600, 1), (0, 2), (3600, 1))
    }


def test_what_was_cancelled_is_not_added_but_has_changed_the_hour() -> None:
    totals = add_up(
        [
            _usage(1, value=3, changed="2026-11-27T15:00:00.000Z"),
            _usage(2, cancelled_by="arn", changed="2026-11-27T16:00:00.000Z"),
        ]
    )
    assert [(total.value, total.changed) for total in totals.values()] == [(3, "2026-11-27T16:00:00.000Z")]


@pytest.mark.parametrize("seed", range(20))
def test_a_sum_is_that_of_fsum_in_every_order(seed: int) -> None:
    rnd = random.Random(seed)  # noqa: S311 - has to be repeatable
    values = [rnd.choice((0.1, 1e16, -1e16, 1e-9, 7, 2**60, rnd.random())) for _ in range(500)]
    total = ExactSum()
    for value in values:
        total.add(value)
    assert total.value == math.fsum(values)


@pytest.mark.parametrize("value", [1.7e308, -1.7e308])
def test_a_sum_beyond_all_doubles_is_the_largest(value: float) -> None:
    total = ExactSum()
    for _ in range(3):
        total.add(value)
    assert total.value == math.copysign(sys.float_info.max, value)
