from typing import Any

import pytest

from amberflo_workflows.operate.executions.edges_taken import find_taken_edges
from amberflo_workflows.operate.executions.graph import (
    Edge,
    build_graph,
    find_catch_only_targets,
    map_resources_to_states,
    render_condition,
)
from tests.operate.executions.histories import History, graph, recorded


def test_a_graph_has_the_states_and_the_ways_of_its_workflow() -> None:
    found = graph("create_meter")
    assert found.start == "ResolveApiKey"
    assert [(node.name, node.kind) for node in found.nodes] == [
        ("ResolveApiKey", "Task"),
        ("CreateMeter", "Task"),
        ("WasApiKeyRefreshed", "Choice"),
        ("RefreshApiKey", "Task"),
        ("ApiKeyRejected", "Fail"),
    ]
    assert list(found.edges) == [
        Edge("ResolveApiKey", "CreateMeter", "next"),
        Edge("CreateMeter", None, "next"),
        Edge("CreateMeter", "WasApiKeyRefreshed", "catch", "AmberfloUnauthorized"),
        Edge("WasApiKeyRefreshed", "ApiKeyRejected", "choice", "$.apiKey.refreshed is true"),
        Edge("WasApiKeyRefreshed", "RefreshApiKey", "default", "otherwise"),
        Edge("RefreshApiKey", "CreateMeter", "next"),
    ]


def test_a_map_has_the_graph_of_its_items_inside() -> None:
    inside = {node.name: node for node in graph("ingest_usage").nodes if node.subgraphs}
    assert [node.name for node in inside["SaveRejectedUsages"].subgraphs[0].nodes] == [
        "SaveRejectedUsage",
        "DescribeUsage",
    ]
    assert not inside["SaveRejectedUsages"].is_distributed
    (ranges,) = [node for node in graph("backfill_usage").nodes if node.is_distributed]
    assert [node.name for node in ranges.subgraphs[0].all_nodes()] == ["SendRange", "CountFailedRange"]
    assert "SendRange" in [node.name for node in graph("backfill_usage").all_nodes()]


def test_a_parallel_has_a_graph_for_each_branch() -> None:
    branch = {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}
    machine = {"StartAt": "Both", "States": {"Both": {"Type": "Parallel", "Branches": [branch, branch], "End": True}}}
    found = build_graph(machine)
    assert len(found.nodes[0].subgraphs) == 2
    assert Edge("A", None, "next") in set(found.all_edges())


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"Variable": "$.a", "IsPresent": True}, "$.a is present"),
        ({"Variable": "$.a", "IsNull": False}, "$.a is not null"),
        ({"Variable": "$.a", "BooleanEquals": False}, "$.a is false"),
        ({"Variable": "$.a", "NumericGreaterThan": 0}, "$.a > 0"),
        ({"Variable": "$.a", "NumericLessThanEquals": 5}, "$.a <= 5"),
        ({"Variable": "$.a", "StringEquals": "x"}, "$.a is x"),
        ({"Variable": "$.a", "StringMatches": "x*"}, "$.a matches x*"),
        ({"Variable": "$.a", "TimestampLessThanPath": "$.b"}, "$.a < $.b"),
        ({"Not": {"Variable": "$.a", "StringEquals": "x"}, "Comment": "why"}, "not ($.a is x)"),
        ({"Condition": "{% $x > 1 %}"}, "{% $x > 1 %}"),
        (
            {"And": [{"Variable": "$.a", "IsString": True}, {"Or": [{"Variable": "$.b", "IsPresent": True}]}]},
            "$.a is string and $.b is present",
        ),
    ],
)
def test_what_a_choice_asks_in_words(rule: dict[str, Any], words: str) -> None:
    assert render_condition({**rule, "Next": "There"}) == words


def test_only_a_resource_of_one_state_tells_which_state_it_is() -> None:
    names = map_resources_to_states(graph("ingest_usage"))
    assert names == {"arn:aws:states:::dynamodb:putItem": "SaveRejectedUsage"}


def test_where_a_state_leads_only_on_an_error() -> None:
    found = find_catch_only_targets(graph("ingest_usage"))
    assert found["SendOneByOne"] == {"WasApiKeyRefreshed"}
    assert found["SaveRejectedUsage"] == set()


def test_the_ways_that_a_run_took() -> None:
    states = recorded("ingest_one_by_one", "ingest_usage").states
    went = {(edge.source, edge.target, edge.kind) for edge in find_taken_edges(graph("ingest_usage"), states)}
    assert went == {
        ("ResolveApiKey", "IsCallerWaiting", "next"),
        ("IsCallerWaiting", "SendForCaller", "choice"),
        ("SendForCaller", "SendOneByOne", "catch"),
        ("SendOneByOne", "CheckOutcome", "next"),
        ("CheckOutcome", "SaveRejectedUsages", "choice"),
        ("SaveRejectedUsages", "BuildResponse", "next"),
        ("BuildResponse", None, "next"),
    }
    begun = {(edge.source, edge.target) for edge in find_taken_edges(graph("ingest_usage"), states[:2])}
    assert begun == {("ResolveApiKey", "IsCallerWaiting")}


def test_what_failed_did_not_reach_the_end() -> None:
    history = History().started()
    history.add("TaskStateEntered", name="CreateMeter")
    history.add("ExecutionFailed", error="Refused")
    assert find_taken_edges(graph("create_meter"), history.build_execution().states) == set()
