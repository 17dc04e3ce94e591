import json
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from amberflo_workflows.local.system import System
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.model import Execution, Status, TaskCount
from amberflo_workflows.operate.executions.reader import NoSuchExecution, Query
from amberflo_workflows.operate.executions.start import start_execution
from tests.conftest import sandbox_of
from tests.operate.executions.histories import outline
from tests.polling import wait_until

pytestmark = [pytest.mark.emulator, pytest.mark.meters("calls")]


@pytest.fixture
def executions(system: System) -> Executions:
    return Executions(system)


def _run(system: System, workflow: str, request: Any, **fault: Any) -> Execution:
    """Run a workflow to its end, with a fault in the sandbox."""
    sandbox_of(system).set_faults([fault] if fault else [])
    executions = Executions(system)
    started = start_execution(system, executions.machines.get(workflow), json.dumps(request), wait=True)
    *_, ended = executions.follow(started.arn)
    sandbox_of(system).clear_faults()
    return ended


def _usages(count: int, wrong: int | None = None) -> dict[str, Any]:
    event_time = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {
        "usages": [
            {
                "eventId": f"{uuid.uuid4()}",
                "eventTime": event_time,
                "index": index,
                "usage": {"tenantId": "t", "meterApiName": "calls", "meterValue": "two" if index == wrong else 2},
            }
            for index in range(count)
        ],
        "callerWaits": True,
    }


def test_an_execution_with_retries(system: System, executions: Executions) -> None:
    execution = _run(system, "list_meters", {}, kind="status", status=503, times=2)
    assert outline(execution.states) == ["ResolveApiKey succeeded", "ListMeters succeeded x3"]
    lines = executions.read_state_log_lines(
        execution, _resource(executions, "list_meters", "ListMeters"), execution.states[1:]
    )
    outcomes = [json.loads(line.text).get("outcome") for line in lines if line.message == "amberflo call"]
    assert outcomes == ["503", "503", "200"]


def test_log_lines_belong_to_one_execution(system: System, executions: Executions) -> None:
    other = _run(system, "list_meters", {})
    execution = _run(system, "list_meters", {})
    lines = list(executions.read_log_lines(execution))
    assert {json.loads(line.text)["correlation_id"] for line in lines} == {execution.summary.name}
    assert {json.loads(line.text)["service"] for line in lines} == {"list_meters"}
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    resource = _resource(executions, "list_meters", "ListMeters")
    assert executions.read_state_log_lines(execution, resource, other.states) == []
    assert executions.read_state_log_lines(execution, "arn:aws:states:::dynamodb:putItem", execution.states) == []


def _resource(executions: Executions, workflow: str, state: str) -> str:
    nodes = executions.machines.get(workflow).graph.all_nodes()
    return next(node.resource for node in nodes if node.name == state)


def test_an_execution_that_failed(system: System) -> None:
    execution = _run(system, "list_meters", {}, kind="status", status=429)
    assert outline(execution.states) == ["ResolveApiKey succeeded", "ListMeters failed AmberfloThrottled x3"]
    assert (execution.summary.status, execution.error) == (Status.FAILED, "AmberfloThrottled")


def test_an_execution_with_a_rejected_usage(system: System) -> None:
    fault = {"kind": "status", "status": 400, "path": "/ingest", "body": '{"errorMessage": "no"}', "times": 1}
    execution = _run(system, "ingest_usage", _usages(3, wrong=1), **fault)
    assert outline(execution.states) == [
        "ResolveApiKey succeeded",
        "IsCallerWaiting succeeded",
        "SendForCaller caught AmberfloBatchRejected",
        "SendOneByOne succeeded",
        "CompareOutcomes succeeded",
        "CollectOutcomes succeeded",
        "CheckOutcome succeeded",
        "WriteReceipt succeeded",
        "WereUsagesRejected succeeded",
        "SaveRejectedUsages succeeded",
        "BuildResponse succeeded",
    ]
    assert [state.tasks for state in execution.states if state.map] == [TaskCount(3, 3, 0), TaskCount(1, 1, 0)]


def test_a_map_with_a_failed_item(system: System) -> None:
    faults = [
        {"kind": "status", "status": 400, "path": "/ingest", "body": '{"errorMessage": "no"}', "times": 1},
        {"kind": "status", "status": 503, "path": "/ingest"},
    ]
    sandbox_of(system).set_faults(faults)
    executions = Executions(system)
    started = start_execution(system, executions.machines.get("ingest_usage"), json.dumps(_usages(2)), wait=True)
    execution = executions.get(started.arn)
    assert outline(execution.states)[-1] == "SendOneByOne failed AmberfloUnavailable"
    assert execution.states[-1].tasks == TaskCount(6, 0, 6)


@pytest.fixture
def backfill(system: System) -> Execution:
    """The execution of a backfill with two ranges."""
    bucket, key = system.outputs["BackfillBucketName"], f"{uuid.uuid4()}.ndjson"
    event_time = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    row = {"tenantId": "t", "meterApiName": "calls", "meterValue": 1, "time": event_time, "region": "x" * 60}
    body = "\n".join(json.dumps(row) for _ in range(2_000)).encode()
    system.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    return _run(system, "backfill_usage", {"bucket": bucket, "key": key})


def test_the_children_of_a_distributed_map_can_be_opened(executions: Executions, backfill: Execution) -> None:
    assert json.loads(backfill.output or "")["body"]["data"]["accepted"] == 2_000
    (ranges,) = [state.map for state in backfill.states if state.map]
    assert ranges is not None
    assert (ranges.items, [iteration.status for iteration in ranges.iterations]) == (2, [Status.SUCCEEDED] * 2)
    children = [executions.open_iteration(backfill, "SendRanges", index) for index in range(2)]
    assert [outline(child.states) for child in children] == [["SendRange succeeded"]] * 2
    starts = [json.loads(child.input or "")["range"]["begin"] for child in children]
    assert (min(starts), len(set(starts))) == (0, 2)
    assert {child.log_name for child in children} == {backfill.summary.name}
    assert [node.name for node in executions.get_graph(children[0]).nodes] == ["SendRange", "CountFailedRange"]
    with pytest.raises(OperatorError, match=r"SendRanges has no iteration 2\. The iterations are 0 to 1"):
        executions.open_iteration(backfill, "SendRanges", 2)
    with pytest.raises(OperatorError, match="'SumUp' is not a Map state"):
        executions.open_iteration(backfill, "SumUp", 0)


def test_a_running_execution_is_followed_to_its_end(system: System, executions: Executions) -> None:
    sandbox_of(system).set_faults([{"kind": "hang", "seconds": 60}])
    started = start_execution(system, executions.machines.get("list_meters"), "{}", wait=False)
    views = executions.follow(started.arn)
    followed = [next(views)]
    sandbox_of(system).clear_faults()
    followed += views
    assert (followed[0].summary.status, followed[-1].summary.status) == (Status.RUNNING, Status.SUCCEEDED)
    # Known events are not read again, and none is missing or duplicated.
    assert followed[-1] == executions.get(started.arn)
    assert [event.id for event in followed[-1].events] == list(range(1, len(followed[-1].events) + 1))


def test_executions_are_listed_newest_first_page_by_page(system: System, executions: Executions) -> None:
    begin = datetime.now(UTC)
    arns = [_run(system, workflow, {}).summary.arn for workflow in ("list_meters", "get_meter", "list_meters")]
    query = Query(since=begin, limit=2)
    first = executions.list_page(query)
    second = executions.list_page(Query(since=begin, limit=2, page_token=first.next_token))
    assert [summary.arn for summary in (*first.summaries, *second.summaries)] == arns[::-1]
    assert second.next_token == ""
    assert [summary.arn for summary in executions.list_page(Query(since=begin, workflow="get_meter")).summaries] == [
        arns[1]
    ]


def test_executions_that_overlap_are_listed_by_their_start(system: System, executions: Executions) -> None:
    begin = datetime.now(UTC)
    # Every attempt of the long execution hangs until the short one has ended.
    sandbox_of(system).set_faults([{"kind": "hang", "path": "/meters", "seconds": 60}])
    long = start_execution(system, executions.machines.get("list_meters"), "{}", wait=False).arn
    assert wait_until(lambda: sandbox_of(system).faults()[0]["struck"] > 0)
    short = start_execution(system, executions.machines.get("get_meter"), '{"meterId": "none"}', wait=True).arn
    sandbox_of(system).clear_faults()
    *_, ended = executions.follow(long)
    listed = executions.list_page(Query(since=begin)).summaries
    assert [summary.arn for summary in listed] == [short, long]
    assert ended.summary.stopped is not None
    assert listed[0].stopped is not None
    assert listed[0].stopped < ended.summary.stopped


def test_executions_are_found_by_status_and_by_a_text_in_the_input(system: System, executions: Executions) -> None:
    begin, meter = datetime.now(UTC), f"meter-{uuid.uuid4()}"
    matching = _run(system, "get_meter", {"meterId": meter}).summary
    failed = _run(system, "list_meters", {}, kind="status", status=503).summary
    assert [summary.arn for summary in executions.list_page(Query(since=begin, text=meter)).summaries] == [matching.arn]
    assert [summary.arn for summary in executions.list_page(Query(since=begin, status=Status.FAILED)).summaries] == [
        failed.arn
    ]
    (summary,) = executions.list_page(Query(since=begin, until=failed.started)).summaries
    assert (summary.arn, summary.input_preview) == (matching.arn, json.dumps({"meterId": meter}))


def test_an_execution_is_resolved_by_its_arn_name_or_prefix(system: System, executions: Executions) -> None:
    machine = system.state_machine_arns["create_customer"]
    client, name = system.client("stepfunctions"), f"named-{uuid.uuid4()}"
    arns = [
        client.start_execution(stateMachineArn=machine, name=execution_name, input="{}")["executionArn"]
        for execution_name in (name, f"{name}-again")
    ]
    assert [executions.resolve_arn(text) for text in (arns[0], name, f"{name}-a")] == [arns[0], *arns]
    with pytest.raises(OperatorError, match="matches more than one execution"):
        executions.resolve_arn(name[:-1])
    with pytest.raises(NoSuchExecution, match="No execution has a name that starts with 'nobody'"):
        executions.resolve_arn("nobody")
    with pytest.raises(OperatorError, match="belongs to another stack"):
        executions.resolve_arn("arn:aws:states:us-east-1:000000000000:execution:other:name")
    with pytest.raises(OperatorError, match="is not the ARN of an execution"):
        executions.resolve_arn(machine)
    with pytest.raises(NoSuchExecution, match="was not found"):
        executions.get(f"{arns[0]}-other")


@pytest.mark.parametrize(("text", "reason"), [("{", "not valid JSON"), (f'"{"x" * 262_144}"', "262,144 bytes")])
def test_an_invalid_input_starts_no_execution(system: System, executions: Executions, text: str, reason: str) -> None:
    begin = datetime.now(UTC)
    with pytest.raises(OperatorError, match=reason):
        start_execution(system, executions.machines.get("list_meters"), text, wait=True)
    assert executions.list_page(Query(since=begin)).summaries == ()
