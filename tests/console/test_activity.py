from datetime import UTC, datetime, timedelta

import pytest

from amberflo_workflows.console.activity import BARS, SPAN, activity
from amberflo_workflows.operate.executions.model import ExecutionSummary, Status

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def _summary(minutes_ago: float, seconds: float | None = 1.0, status: Status = Status.SUCCEEDED) -> ExecutionSummary:
    started = NOW - timedelta(minutes=minutes_ago)
    return ExecutionSummary(
        "arn", "get_meter", status, started, started + timedelta(seconds=seconds) if seconds else None
    )


def test_a_workflow_that_did_nothing_has_no_durations() -> None:
    found = activity("get_meter", [], NOW)
    assert (found.total, found.bad, found.p50, found.p95, list(found.drawn)) == (0, 0, None, None, [])
    assert [bar.total for bar in found.bars] == [0] * BARS


def test_quantiles_are_of_what_ended() -> None:
    found = activity("get_meter", [_summary(1, seconds) for seconds in range(1, 101)] + [_summary(1, None)], NOW)
    assert (found.p50, found.p95) == (50, 95)
    assert activity("get_meter", [_summary(1, 7)], NOW).p95 == 7


def test_executions_stand_in_the_bar_in_which_they_began() -> None:
    given = [
        _summary(59),
        _summary(56, status=Status.FAILED),
        _summary(54),
        _summary(0),
        _summary(0, None, Status.RUNNING),
    ]
    found = activity("get_meter", given, NOW)
    counted = [(bar.good, bar.bad, bar.running) for bar in found.bars]
    assert counted == [(1, 1, 0), (1, 0, 0), *[(0, 0, 0)] * (BARS - 3), (1, 0, 1)]
    assert found.bars[0].begin == NOW - SPAN
    # The tallest bars fill the field; a bad part stands on the good one.
    assert list(found.drawn) == [(1, 15, 14, "good"), (1, 1, 14, "bad"), (11, 15, 14, "good"), (111, 1, 28, "good")]


@pytest.mark.parametrize("minutes_ago", [61, -1])
def test_one_that_is_a_moment_outside_of_the_span_is_counted_at_its_edge(minutes_ago: float) -> None:
    bars = activity("get_meter", [_summary(minutes_ago)], NOW).bars
    assert bars[0 if minutes_ago > 0 else -1].good == 1


def test_failures_come_first_and_the_latest_of_them_are_told() -> None:
    bad = [_summary(minutes, status=Status.FAILED) for minutes in range(1, 6)]
    late = _summary(7, status=Status.TIMED_OUT)
    found = activity("get_meter", [_summary(0), *bad, late], NOW, worst=3)
    assert list(found.counts) == [Status.FAILED, Status.TIMED_OUT, Status.SUCCEEDED]
    assert (found.total, found.bad, found.worst) == (7, 6, bad[:3])
