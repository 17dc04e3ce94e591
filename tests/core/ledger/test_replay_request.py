from typing import Any

import msgspec
import pytest

from amberflo_workflows.core.ledger.replay_request import (
    MAX_DAYS,
    ReplayRange,
    ReplayReconciliation,
    parse_replay_request,
)
from amberflo_workflows.core.response import validation_error_response
from tests.core.ledger.entries import START

HOUR, DAY = 3600, 86_400
# In the middle of an hour.
NOW = START + 100 * DAY + 1800
RANGE = {"startTimeInSeconds": NOW - DAY, "endTimeInSeconds": NOW}


@pytest.mark.parametrize(
    ("request_members", "expected"),
    [
        ({}, {}),
        ({"meterApiName": "Appels é", "tenantId": "acme", "dryRun": True}, {"meterApiName": "Appels é"}),
        ({"tenantId": "Cafe\u0301"}, {"tenantId": "Café"}),
        ({"endTimeInSeconds": NOW + HOUR // 2}, {"endTimeInSeconds": NOW + HOUR // 2}),
        ({"startTimeInSeconds": NOW - MAX_DAYS * DAY}, {}),
        ({"startTimeInSeconds": NOW - 1}, {}),
    ],
)
def test_a_range(request_members: dict[str, Any], expected: dict[str, Any]) -> None:
    request = {**RANGE, **request_members}
    replay = parse_replay_request(request, NOW)
    assert isinstance(replay, ReplayRange)
    defaults = {"meterApiName": None, "tenantId": None, "dryRun": False}
    assert msgspec.to_builtins(replay) == {**defaults, **request, **expected}


@pytest.mark.parametrize("dry_run", [{}, {"dryRun": True}])
def test_a_reconciliation(dry_run: dict[str, bool]) -> None:
    replay = parse_replay_request({"reconciliation": "0f9e-A_1", **dry_run}, NOW)
    assert replay == ReplayReconciliation(reconciliation="0f9e-A_1", dry_run=bool(dry_run))


@pytest.mark.parametrize(
    ("request_body", "field", "problem"),
    [
        ({}, "startTimeInSeconds", "It is required"),
        ({"startTimeInSeconds": NOW}, "endTimeInSeconds", "It is required"),
        (RANGE | {"startTimeInSeconds": NOW}, "startTimeInSeconds", "The range is empty"),
        (RANGE | {"endTimeInSeconds": NOW + HOUR // 2 + 1}, "endTimeInSeconds", "It is after the current hour"),
        (RANGE | {"startTimeInSeconds": NOW - MAX_DAYS * DAY - 1}, "startTimeInSeconds", "longer than 61 days"),
        (RANGE | {"startTimeInSeconds": -1}, "startTimeInSeconds", "Expected `int` >= 0"),
        (RANGE | {"endTimeInSeconds": NOW * 1000}, "endTimeInSeconds", "Expected `int` <= "),
        (RANGE | {"endTimeInSeconds": str(NOW)}, "endTimeInSeconds", "Expected `int`, got `str`"),
        (RANGE | {"meterApiName": ""}, "meterApiName", "length >= 1"),
        (RANGE | {"tenantId": ""}, "tenantId", "length >= 1"),
        (RANGE | {"tenantId": ["a"]}, "tenantId", "Expected `str"),
        (RANGE | {"dryRun": "yes"}, "dryRun", "Expected `bool`, got `str`"),
        (RANGE | {"meter": "m"}, "meter", "There is no such field"),
        (RANGE | {"reconciliation": "r"}, "startTimeInSeconds", "There is no such field"),
        ({"reconciliation": "r", "tenantId": "t"}, "tenantId", "There is no such field"),
        ({"reconciliation": "../receipts"}, "reconciliation", "matching regex"),
        ({"reconciliation": "r\n"}, "reconciliation", "matching regex"),
        ({"reconciliation": ""}, "reconciliation", "matching regex"),
        ({"reconciliation": "r" * 81}, "reconciliation", "length <= 80"),
        ({"reconciliation": None}, "reconciliation", "Expected `str`, got `null`"),
        ([], "", "Expected `object`, got `array`"),
        (None, "", "Expected `object`, got `null`"),
    ],
)
def test_an_invalid_request(request_body: Any, field: str, problem: str) -> None:
    with pytest.raises(msgspec.ValidationError) as error:
        parse_replay_request(request_body, NOW)
    response: Any = validation_error_response(error.value)
    (detail,) = response["body"]["details"]
    assert (response["statusCode"], detail["field"]) == (400, field)
    assert problem in detail["problem"]
