from typing import Any

import pytest

from amberflo_workflows.tasks.sum_up_replay import handler

SENT = {"sent": 3, "rejected": 1, "cancelled": 2, "tooOld": 5, "failed": 0}
NOT_SENT = {"sent": 0, "rejected": 0, "cancelled": 0, "tooOld": 0, "failed": 1}


def test_the_slices_are_added_up() -> None:
    expected = {"slices": 3, "sent": 6, "rejected": 2, "cancelled": 4, "tooOld": 10, "failed": 1, "dryRun": False}
    assert handler({"outcomes": [SENT, NOT_SENT, SENT], "dryRun": False}, None) == expected


@pytest.mark.parametrize(
    "outcome",
    [
        None,
        {},
        {"Error": "States.Aborted", "Cause": "stopped"},
        {"ExecutionArn": "arn", "Status": "ABORTED", "Input": "{}"},
        "stopped",
        {**SENT, "sent": None},
    ],
)
def test_a_slice_that_did_not_end_itself_has_failed(outcome: Any) -> None:
    output = handler({"outcomes": [SENT, outcome], "dryRun": True}, None)
    assert output == {**SENT, "slices": 2, "failed": 1, "dryRun": True}


def test_no_slice_is_no_usage() -> None:
    output = handler({"outcomes": [], "dryRun": False}, None)
    assert output == dict.fromkeys(["slices", *SENT], 0) | {"dryRun": False}
