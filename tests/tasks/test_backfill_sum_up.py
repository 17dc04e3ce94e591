from typing import Any

import pytest

from amberflo_workflows.tasks.backfill_sum_up import handler

SENT = {"accepted": 3, "rejected": 1, "failed": 0}
NOT_SENT = {"accepted": 0, "rejected": 0, "failed": 1}


def test_the_ranges_are_added_up() -> None:
    expected = {"ranges": 3, "accepted": 6, "rejected": 2, "failed": 1}
    assert handler({"ranges": [SENT, NOT_SENT, SENT]}, None) == expected


@pytest.mark.parametrize(
    "outcome",
    [
        None,
        {},
        {"Error": "States.Aborted", "Cause": "stopped"},
        {"ExecutionArn": "arn", "Status": "ABORTED", "Input": "{}"},
        "stopped",
        {**SENT, "accepted": None},
    ],
)
def test_a_range_that_did_not_end_itself_has_failed(outcome: Any) -> None:
    assert handler({"ranges": [SENT, outcome]}, None) == {"ranges": 2, "accepted": 3, "rejected": 1, "failed": 1}


def test_no_range_is_no_usage() -> None:
    assert handler({"ranges": []}, None) == {"ranges": 0, "accepted": 0, "rejected": 0, "failed": 0}
