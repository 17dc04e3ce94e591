import json
from typing import Any

import pytest

from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.content import (
    count_error_responses,
    describe_response_status,
    names_tenant,
    parse_response_filter,
    parse_response_status,
)
from amberflo_workflows.operate.executions.model import Execution
from amberflo_workflows.operate.executions.reader import Query
from tests.operate.executions.histories import History


@pytest.mark.parametrize(
    ("output", "status"),
    [
        ('{"statusCode": 404, "body": {}}', 404),
        ('{"statusCode": 200, "claim": {}}', 200),
        ('{"statusCode": "404"}', None),
        ('{"statusCode": true}', None),
        ('{"Error": "x"}', None),
        ("[1]", None),
        ("not JSON", None),
        ("[" * 9999, None),
        (None, None),
    ],
)
def test_the_status_of_a_response_is_in_the_output(output: str | None, status: int | None) -> None:
    assert parse_response_status(output) == status


@pytest.mark.parametrize(
    ("text", "matching", "other"),
    [
        ("404", [404], [403, 405]),
        ("4xx", [400, 499], [399, 500]),
        ("5XX", [500, 599], [499]),
        ("error", [400, 599], [399]),
    ],
)
def test_a_filter_is_a_status_or_a_class(text: str, matching: list[int], other: list[int]) -> None:
    statuses = parse_response_filter(text)
    assert ([status in statuses for status in matching], any(status in statuses for status in other)) == (
        [True] * len(matching),
        False,
    )


@pytest.mark.parametrize("text", ["", "4", "44", "4x", "600", "xxx", "4040", "errors"])
def test_another_filter_is_an_error_with_the_valid_ones(text: str) -> None:
    with pytest.raises(OperatorError, match=f"Unknown response status '{text}'. Use a status like 404"):
        parse_response_filter(text)


def test_only_errors_are_named_and_counted() -> None:
    assert [describe_response_status(status) for status in (200, 404, 499)] == ["200", "404 Not Found", "499"]
    assert count_error_responses([200, 404, None, 502, 404]) == {404: 2, 502: 1}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"usages": [{"usage": {"tenantId": "acme"}}]}, True),
        ({"detail": {"tenantId": "acme"}}, True),
        ({"customerIds": ["other", "acme"]}, True),
        ({"meterApiName": "acme"}, False),
        ({"tenantId": "acme-2"}, False),
        (["acme"], False),
        ("acme", False),
    ],
)
def test_a_tenant_is_a_complete_value_of_a_member_for_tenants(value: object, expected: bool) -> None:
    assert names_tenant(json.dumps(value), "acme") is expected


def test_a_tenant_may_be_escaped_in_the_input() -> None:
    assert names_tenant('{"tenantId": "caf\\u00e9"}', "café")
    assert not names_tenant("tenantId café", "café")
    assert not names_tenant(None, "café")


def _execution(end: str, **details: Any) -> Execution:
    history = History()
    history.add("ExecutionStarted", input='{"tenantId": "acme", "uniqueId": "Order-1"}')
    history.add(f"Execution{end}", **details)
    return history.build_execution()


REJECTED = _execution("Succeeded", output='{"statusCode": 404, "body": {"message": "Meter m was not found."}}')
FAILED = _execution("Failed", error="AmberfloUnavailable", cause='{"errorMessage": "Amberflo returned status 503."}')
GOOD = _execution("Succeeded", output='{"statusCode": 200, "body": {"message": "Meter m was not found."}}')


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), [True, True, True]),
        (Query(text="order-1"), [True, True, True]),
        (Query(text="some-name"), [True, True, True]),
        (Query(text="status 503"), [False, True, False]),
        (Query(error="not found"), [True, False, False]),
        (Query(error="amberflounavailable"), [False, True, False]),
        (Query(response=range(200, 300)), [False, False, True]),
        (Query(response=range(400, 600)), [True, False, False]),
        (Query(tenant="acme", text="ORDER", error="found", response=range(404, 405)), [True, False, False]),
        (Query(tenant="acm"), [False, False, False]),
    ],
)
def test_a_query_matches_what_an_execution_carries(query: Query, expected: list[bool]) -> None:
    assert [query.matches_content(execution) for execution in (REJECTED, FAILED, GOOD)] == expected
