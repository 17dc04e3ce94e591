import json
import os
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from amberflo_workflows.local.system import System
from amberflo_workflows.operate.deployment import AwsDeployment
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.history import UNKNOWN_STATE
from amberflo_workflows.operate.executions.model import Status
from amberflo_workflows.operate.executions.reader import NoSuchExecution, Query
from tests.cli.forked import CommandResult, run_forked
from tests.operate.executions.histories import ACCOUNT, LOG_GROUP, LOG_STREAM, outline

pytestmark = pytest.mark.emulator

# Another test starts an execution of another workflow.
LOGGED = Query(workflow="create_meter")
NAMES = ["running-one", "errors-only", "without-data", "good-one", "failed-one"]


@pytest.fixture
def executions(logged: AwsDeployment) -> Executions:
    return Executions(logged)


def _names(executions: Executions, query: Query) -> list[str]:
    return [summary.name for summary in executions.list_page(query).summaries]


def test_express_executions_are_listed_from_their_log_newest_first(executions: Executions) -> None:
    page = executions.list_page(LOGGED)
    assert [summary.name for summary in page.summaries] == NAMES
    assert [summary.status for summary in page.summaries] == [
        Status.RUNNING,
        Status.FAILED,
        Status.SUCCEEDED,
        Status.SUCCEEDED,
        Status.FAILED,
    ]
    assert {summary.workflow for summary in page.summaries} == {"create_meter"}
    previews = [bool(summary.input_preview) for summary in page.summaries]
    assert previews == [True, False, False, True, True]


def test_the_log_is_read_page_by_page(executions: Executions) -> None:
    names, token = [], ""
    for _ in range(3):
        page = executions.list_page(replace(LOGGED, limit=2, page_token=token))
        names += [summary.name for summary in page.summaries]
        token = page.next_token
    assert (names, token) == (NAMES, "")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (replace(LOGGED, status=Status.FAILED), ["errors-only", "failed-one"]),
        (replace(LOGGED, status=Status.RUNNING), ["running-one"]),
        (replace(LOGGED, text="API calls"), ["running-one", "good-one", "failed-one"]),
        (replace(LOGGED, text="nothing like it"), []),
        (replace(LOGGED, limit=1), ["running-one"]),
        (Query(workflow="get_meter"), []),
        (replace(LOGGED, name_prefix="good"), ["good-one"]),
    ],
)
def test_a_query_filters_the_executions_of_the_log(executions: Executions, query: Query, names: list[str]) -> None:
    assert _names(executions, query) == names


def test_a_time_range_selects_executions_by_their_start(executions: Executions) -> None:
    summaries = executions.list_page(LOGGED).summaries
    middle = summaries[2].started
    assert _names(executions, replace(LOGGED, since=middle)) == NAMES[:3]
    assert _names(executions, replace(LOGGED, until=middle)) == NAMES[3:]


def test_an_express_execution_is_read_from_its_log(executions: Executions) -> None:
    execution = executions.get(executions.resolve_arn("failed-one"))
    assert outline(execution.states) == ["ResolveApiKey succeeded", "CreateMeter failed AmberfloUnavailable x3"]
    assert [attempt.wait_seconds for attempt in execution.states[1].tries] == [0.8, 1.8, None]
    assert (execution.summary.status, execution.error) == (Status.FAILED, "AmberfloUnavailable")
    assert json.loads(execution.input or "")["meterApiName"] == "api-calls"
    assert execution.log_name == "failed-one"


def test_data_that_is_not_logged_is_not_known(executions: Executions) -> None:
    execution = executions.get(executions.resolve_arn("without-data"))
    assert outline(execution.states) == ["ResolveApiKey succeeded", "CreateMeter succeeded"]
    assert (execution.input, execution.output, execution.states[0].output) == (None, None, None)


def test_a_log_of_errors_has_the_failed_attempts(executions: Executions) -> None:
    execution = executions.get(executions.resolve_arn("errors-only"))
    assert outline(execution.states) == [f"{UNKNOWN_STATE} failed AmberfloUnavailable x2"]


def test_an_execution_that_is_not_logged_is_an_error_with_the_reason(executions: Executions) -> None:
    arn = executions.resolve_arn("good-one").replace("good-one", "other-one")
    with pytest.raises(NoSuchExecution, match="takes up to a minute"):
        executions.get(arn)


def test_an_execution_is_followed_once_it_is_logged(executions: Executions, logged: AwsDeployment) -> None:
    arn = executions.resolve_arn("good-one").replace("good-one", f"late-{time.time_ns()}")
    client, at = logged.client("logs"), int((time.time() - 2 * 86_400) * 1000)

    def put() -> None:
        line = {"id": "1", "type": "ExecutionFailed", "details": {"error": "Late"}, "previous_event_id": "0"}
        message = json.dumps({**line, "event_timestamp": str(at), "execution_arn": arn})
        client.put_log_events(
            logGroupName=LOG_GROUP, logStreamName=LOG_STREAM, logEvents=[{"timestamp": at, "message": message}]
        )

    late = threading.Timer(0.5, put)
    late.start()
    (ended,) = executions.follow(arn)
    late.join()
    assert (ended.summary.status, ended.error) == (Status.FAILED, "Late")


def test_each_workflow_is_read_from_its_history_or_its_log(executions: Executions, logged: AwsDeployment) -> None:
    keeps = {machine.workflow: machine.keeps_history for machine in executions.machines.all}
    assert keeps == {"create_meter": False, "get_meter": False, "create_customer": True}
    client = logged.client("stepfunctions")
    machine = logged.state_machine_arns["create_customer"]
    arn = client.start_execution(stateMachineArn=machine, name=f"standard-{time.time_ns()}", input='"x"')[
        "executionArn"
    ]
    *_, ended = executions.follow(arn)
    assert (ended.summary.status is Status.RUNNING, ended.input) == (False, '"x"')
    since = datetime.now(UTC) - timedelta(seconds=60)
    assert arn in [summary.arn for summary in executions.list_page(Query(since=since)).summaries]


def test_the_command_line_reads_the_log_too(system: System, logged: AwsDeployment) -> None:
    def metering(*arguments: str) -> CommandResult:
        environment = {**os.environ, **system.emulator.environment, "AWS_ACCESS_KEY_ID": ACCOUNT}
        return run_forked(["--stack", logged.stack, "executions", *arguments], environment)

    listed = json.loads(metering("list", "--workflow", "create_meter", "--json").stdout)
    assert [execution["name"] for execution in listed] == NAMES
    assert (
        "CreateMeter         Task      FAILED, 3 attempts, AmberfloUnavailable" in metering("show", "failed-one").stdout
    )
    process = metering("start", "--like", "without-data")
    assert (process.returncode, "the log of without-data does not have its input" in process.stderr) == (1, True), (
        process
    )
