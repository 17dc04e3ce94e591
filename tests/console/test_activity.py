from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from amberflo_workflows.console.activity import BAR_COUNT, SPAN, build_activity
from amberflo_workflows.operate.executions.model import ExecutionSummary, Status

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def _summary(minutes_ago: float, seconds: float | None = 1.0, status: Status = Status.SUCCEEDED) -> ExecutionSummary:
    started = NOW - timedelta(minutes=minutes_ago)
    return ExecutionSummary(
        "arn", "get_meter", status, started, started + timedelta(seconds=seconds) if seconds else None
    )


def test_without_executions_there_are_no_durations() -> None:
    activity = build_activity("get_meter", [], NOW)
    assert (activity.total, activity.bad, activity.p50, activity.p95, list(activity.rectangles)) == (
        0,
        0,
        None,
        None,
        [],
    )
    assert [bar.total for bar in activity.bars] == [0] * BAR_COUNT


def test_error_responses_are_counted_by_their_status() -> None:
    summaries = [replace(_summary(1), response_status=status) for status in (200, 404, None, 502, 404)]
    assert build_activity("get_meter", summaries, NOW).error_responses == {404: 2, 502: 1}


def test_quantiles_ignore_running_executions() -> None:
    activity = build_activity(
        "get_meter", [_summary(1, seconds) for seconds in range(1, 101)] + [_summary(1, None)], NOW
    )
    assert (activity.p50, activity.p95) == (50, 95)
    assert build_activity("get_meter", [_summary(1, 7)], NOW).p95 == 7


def test_executions_are_counted_in_the_bar_of_their_start() -> None:
    summaries = [
        _summary(59),
        _summary(56, status=Status.FAILED),
        _summary(54),
        _summary(0),
        _summary(0, None, Status.RUNNING),
    ]
    activity = build_activity("get_meter", summaries, NOW)
    counts = [(bar.good, bar.bad, bar.running) for bar in activity.bars]
    assert counts == [(1, 1, 0), (1, 0, 0), *[(0, 0, 0)] * (BAR_COUNT - 3), (1, 0, 1)]
    assert activity.bars[0].start == NOW - SPAN
    # The tallest bar has the full height; the bad part is drawn on top of the good one.
    assert list(activity.rectangles) == [
        (1, 15, 14, "good"),
        (1, 1, 14, "bad"),
        (11, 15, 14, "good"),
        (111, 1, 28, "good"),
    ]


@pytest.mark.parametrize("minutes_ago", [61, -1])
def test_an_execution_just_outside_of_the_span_is_counted_at_its_edge(minutes_ago: float) -> None:
    bars = build_activity("get_meter", [_summary(minutes_ago)], NOW).bars
    assert bars[0 if minutes_ago > 0 else -1].good == 1


def test_failures_are_counted_first_and_the_latest_are_listed() -> None:
    bad = [_summary(minutes, status=Status.FAILED) for minutes in range(1, 6)]
    late = _summary(7, status=Status.TIMED_OUT)
    activity = build_activity("get_meter", [_summary(0), *bad, late], NOW, max_failures=3)
    assert list(activity.counts) == [Status.FAILED, Status.TIMED_OUT, Status.SUCCEEDED]
    assert (activity.total, activity.bad, activity.failures) == (7, 6, bad[:3])
