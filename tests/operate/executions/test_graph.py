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
from tests.operate.executions.histories import History, load_execution, load_graph


def test_a_graph_has_the_states_and_edges_of_its_workflow() -> None:
    graph = load_graph("create_meter")
    assert graph.start == "ResolveApiKey"
    assert [(node.name, node.kind) for node in graph.nodes] == [
        ("ResolveApiKey", "Task"),
        ("CreateMeter", "Task"),
        ("WasApiKeyRefreshed", "Choice"),
        ("RefreshApiKey", "Task"),
        ("ApiKeyRejected", "Fail"),
    ]
    assert list(graph.edges) == [
        Edge("ResolveApiKey", "CreateMeter", "next"),
        Edge("CreateMeter", None, "next"),
        Edge("CreateMeter", "WasApiKeyRefreshed", "catch", "AmberfloUnauthorized"),
        Edge("WasApiKeyRefreshed", "ApiKeyRejected", "choice", "$.apiKey.refreshed is true"),
        Edge("WasApiKeyRefreshed", "RefreshApiKey", "default", "otherwise"),
        Edge("RefreshApiKey", "CreateMeter", "next"),
    ]


def test_a_map_has_the_graph_of_its_items() -> None:
    nodes = {node.name: node for node in load_graph("ingest_usage").nodes if node.subgraphs}
    assert [node.name for node in nodes["SaveRejectedUsages"].subgraphs[0].nodes] == [
        "SaveRejectedUsage",
        "DescribeUsage",
    ]
    assert not nodes["SaveRejectedUsages"].is_distributed
    (ranges,) = [node for node in load_graph("backfill_usage").nodes if node.is_distributed]
    assert [node.name for node in ranges.subgraphs[0].all_nodes()] == ["SendRange", "CountFailedRange"]
    assert "SendRange" in [node.name for node in load_graph("backfill_usage").all_nodes()]


def test_a_parallel_has_a_graph_for_each_branch() -> None:
    branch = {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}
    machine = {"StartAt": "Both", "States": {"Both": {"Type": "Parallel", "Branches": [branch, branch], "End": True}}}
    graph = build_graph(machine)
    assert len(graph.nodes[0].subgraphs) == 2
    assert Edge("A", None, "next") in set(graph.all_edges())


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
def test_a_choice_rule_is_rendered_as_text(rule: dict[str, Any], words: str) -> None:
    assert render_condition({**rule, "Next": "There"}) == words


def test_a_resource_of_a_single_state_maps_to_the_state() -> None:
    names = map_resources_to_states(load_graph("ingest_usage"))
    assert names == {
        "${WriteReceiptFunctionArn}": "WriteReceipt",
        "arn:${Partition}:states:::dynamodb:putItem": "SaveRejectedUsage",
    }


def test_targets_that_only_a_catch_reaches() -> None:
    targets = find_catch_only_targets(load_graph("ingest_usage"))
    assert targets["SendOneByOne"] == {"WasApiKeyRefreshed"}
    assert targets["SaveRejectedUsage"] == set()


def test_the_edges_that_an_execution_took() -> None:
    states = load_execution("ingest_one_by_one", "ingest_usage").states
    taken = {(edge.source, edge.target, edge.kind) for edge in find_taken_edges(load_graph("ingest_usage"), states)}
    assert taken == {
        ("ResolveApiKey", "IsCallerWaiting", "next"),
        ("IsCallerWaiting", "SendForCaller", "choice"),
        ("SendForCaller", "SendOneByOne", "catch"),
        ("SendOneByOne", "CompareOutcomes", "next"),
        ("CompareOutcomes", "CollectOutcomes", "default"),
        ("CollectOutcomes", "CheckOutcome", "next"),
        ("CheckOutcome", "WriteReceipt", "default"),
        ("WriteReceipt", "WereUsagesRejected", "next"),
        ("WereUsagesRejected", "SaveRejectedUsages", "choice"),
        ("SaveRejectedUsages", "BuildResponse", "next"),
        ("BuildResponse", None, "next"),
    }
    first_edges = {(edge.source, edge.target) for edge in find_taken_edges(load_graph("ingest_usage"), states[:2])}
    assert first_edges == {("ResolveApiKey", "IsCallerWaiting")}


def test_a_failed_state_takes_no_edge() -> None:
    history = History().started()
    history.add("TaskStateEntered", name="CreateMeter")
    history.add("ExecutionFailed", error="Refused")
    assert find_taken_edges(load_graph("create_meter"), history.build_execution().states) == set()
