from datetime import UTC, datetime, timedelta

import pytest

from amberflo_workflows.operate.executions.api_reader import sort_by_start
from amberflo_workflows.operate.executions.error_causes import parse_error_message, parse_stack_trace
from amberflo_workflows.operate.executions.log_reader import split_into_windows
from amberflo_workflows.operate.executions.model import ExecutionSummary, Status, build_preview
from amberflo_workflows.operate.executions.reader import Page, Query, build_page_token, merge_pages
from tests.operate.executions.histories import BEGIN


def _summary(seconds: int, name: str = "a", status: Status = Status.SUCCEEDED) -> ExecutionSummary:
    arn = f"arn:aws:states:us-east-1:111122223333:execution:Machine:{name}"
    return ExecutionSummary(arn, "workflow", status, BEGIN + timedelta(seconds=seconds))


def _page(*seconds: int, more: bool = False) -> Page:
    summaries = tuple(_summary(started) for started in seconds)
    return Page(summaries, build_page_token(summaries[-1]) if more else "")


def _seconds(page: Page) -> list[float]:
    return [(summary.started - BEGIN).total_seconds() for summary in page.summaries]


def test_pages_are_merged_newest_first() -> None:
    page = merge_pages([_page(9, 5, 1), _page(7, 6)], 10)
    assert (_seconds(page), page.next_token) == ([9, 7, 6, 5, 1], "")


def test_merged_pages_end_where_a_page_ends() -> None:
    # The first reader may have executions before 5, so 3 may not be the next execution.
    page = merge_pages([_page(9, 5, more=True), _page(7, 3)], 10)
    assert (_seconds(page), page.next_token) == ([9, 7, 5], build_page_token(_summary(5)))
    page = merge_pages([_page(9, 8, more=True), _page(7, 3)], 2)
    assert (_seconds(page), page.next_token) == ([9, 8], build_page_token(_summary(8)))
    page = merge_pages([_page(9, 5), _page(7)], 2)
    assert (_seconds(page), page.next_token) == ([9, 7], build_page_token(_summary(7)))


def test_the_next_page_begins_after_the_token_even_within_a_millisecond() -> None:
    newer, older = _summary(1, "b"), _summary(1, "a")
    query = Query(page_token=build_page_token(newer))
    assert [query.matches(summary) for summary in (newer, older, _summary(0), _summary(2))] == [
        False,
        True,
        True,
        False,
    ]


def test_executions_that_end_in_another_order_are_sorted_as_their_pages_are() -> None:
    # Start and end in milliseconds, and a name. AWS lists those that have ended by their end, newest first.
    runs = [(0, 9, "a"), (5, 9, "b"), (5, 5, "d"), (5, 5, "c"), (4, 5, "e"), (5, 5, "f"), (3, 4, "g"), (4, 4, "h")]
    listed = [
        ExecutionSummary(
            _summary(0, name).arn,
            "workflow",
            Status.SUCCEEDED,
            BEGIN + timedelta(milliseconds=start),
            BEGIN + timedelta(milliseconds=end),
        )
        for start, end, name in sorted(runs, key=lambda run: -run[1])
    ]
    expected = sorted(map(build_page_token, listed), reverse=True)
    assert [build_page_token(summary) for summary in sort_by_start(listed)] == expected
    pages: list[str] = []
    while len(pages) < len(listed):
        query = Query(page_token=pages[-1] if pages else "")
        page = [build_page_token(summary) for summary in sort_by_start(listed) if query.matches(summary)]
        pages += page[:3]
    assert pages == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(status=Status.FAILED), [False, True]),
        (Query(since=BEGIN + timedelta(seconds=2)), [False, True]),
        (Query(until=BEGIN + timedelta(seconds=2)), [True, False]),
        (Query(name_prefix="fi"), [True, False]),
        (Query(from_console=True), [True, True]),
    ],
)
def test_a_query_matches_by_status_time_and_name(query: Query, expected: list[bool]) -> None:
    summaries = [_summary(1, "first"), _summary(2, "second", Status.FAILED)]
    assert [query.matches(summary) for summary in summaries] == expected


def test_what_the_console_asks_is_only_listed_on_request() -> None:
    summary = _summary(1, "console-1")
    assert (Query().matches(summary), Query(from_console=True).matches(summary)) == (False, True)


def test_windows_go_back_without_gaps_and_become_wider() -> None:
    until = datetime(2026, 1, 2, tzinfo=UTC)
    windows = list(split_into_windows(until, until - timedelta(days=1)))
    assert (windows[0][1], windows[-1][0]) == (until, until - timedelta(days=1))
    assert [begin for begin, _ in windows[:-1]] == [end for _, end in windows[1:]]
    widths = [end - begin for begin, end in windows[:-1]]
    assert widths == sorted(widths)
    assert len(windows) < 5


@pytest.mark.parametrize(
    ("text", "status"),
    [("TIMED_OUT", Status.TIMED_OUT), ("RUNNING", Status.RUNNING), ("PENDING_REDRIVE", Status.FAILED)],
)
def test_a_status_of_step_functions_is_parsed(text: str, status: Status) -> None:
    assert Status.parse(text) is status


def test_a_preview_is_one_line_of_limited_length() -> None:
    assert build_preview('{\n  "a":   1\n}') == '{ "a": 1 }'
    assert len(build_preview("x" * 1000)) == 200
    assert build_preview(None) == ""


@pytest.mark.parametrize(
    ("cause", "message", "trace"),
    [
        ('{"errorMessage": "no", "stackTrace": ["  File 1\\n    raise\\n"]}', "no", ["  File 1", "    raise"]),
        ("plain words", "plain words", []),
        ('["errorMessage"]', '["errorMessage"]', []),
        ('{"other": 1}', '{"other": 1}', []),
    ],
)
def test_a_cause_is_lambdas_json_or_text(cause: str, message: str, trace: list[str]) -> None:
    assert (parse_error_message(cause), parse_stack_trace(cause)) == (message, trace)
