"""A stack in a separate account on the emulator, whose express executions are known only from their log, as on AWS.

The emulator keeps the history of express executions and does not log them, so the log is written here. It has AWS's
format: https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html documents when lines are written and what
they omit, and the lines are taken from LocalStack's snapshots of what AWS logged (localstack/localstack,
tests/aws/services/stepfunctions/v2/logs/test_logs.snapshot.json and v2/express/test_express_async.snapshot.json), and
from a line of an express execution among Datadog's tests (DataDog/datadog-serverless-functions,
aws/logs_monitoring/tests/test_awslogs_handler.py), which shows the ARN and times as text.
"""

import json
import time
from pathlib import Path

import pytest

from amberflo_workflows.local.system import System
from amberflo_workflows.operate.deployment import AwsDeployment
from tests.operate.executions.histories import ACCOUNT, LOG_GROUP, LOG_STREAM, WORKFLOWS

STACK = "Logged"
_RECORDED = Path(__file__).parent / "recorded" / "express_log.ndjson"
_RECORDED_FROM = 1_767_225_600_000
# The age of the first execution in the log.
BEGAN_SECONDS_AGO = 600


@pytest.fixture(scope="session")
def _logged(shared_system: System) -> AwsDeployment:
    with pytest.MonkeyPatch.context() as patch:
        _enter(patch, shared_system)
        deployment = AwsDeployment(STACK)
        _put_log(deployment)
        _put_stack(deployment)
    return deployment


@pytest.fixture
def logged(_logged: AwsDeployment, shared_system: System, monkeypatch: pytest.MonkeyPatch) -> AwsDeployment:
    """The stack, with its credentials in the environment."""
    _enter(monkeypatch, shared_system)
    return _logged


def _enter(patch: pytest.MonkeyPatch, system: System) -> None:
    for name, value in {**system.emulator.environment, "AWS_ACCESS_KEY_ID": ACCOUNT}.items():
        patch.setenv(name, value)


def _put_log(deployment: AwsDeployment) -> None:
    logs = deployment.client("logs")
    logs.create_log_group(logGroupName=LOG_GROUP)
    logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName=LOG_STREAM)
    later = int((time.time() - BEGAN_SECONDS_AGO) * 1000) - _RECORDED_FROM
    events = []
    for line in _RECORDED.read_text().splitlines():
        logged = json.loads(line)
        at = int(logged["event_timestamp"]) + later
        message = json.dumps({**logged, "event_timestamp": str(at)})
        events.append({"timestamp": at, "message": message})
    events.append({"timestamp": events[-1]["timestamp"], "message": "not an event"})
    logs.put_log_events(logGroupName=LOG_GROUP, logStreamName=LOG_STREAM, logEvents=events)


def _put_stack(deployment: AwsDeployment) -> None:
    destination = {
        "cloudWatchLogsLogGroup": {"logGroupArn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{LOG_GROUP}:*"}
    }
    arns = {}
    for workflow, name, kind, logging in (
        ("create_meter", "CreateMeter", "EXPRESS", [destination]),
        ("get_meter", "GetMeter", "EXPRESS", []),
        ("create_customer", "CreateCustomer", "STANDARD", []),
    ):
        response = deployment.client("stepfunctions").create_state_machine(
            name=name,
            definition=(WORKFLOWS / f"{workflow}.asl.json").read_text(),
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/tests",
            type=kind,
            loggingConfiguration={"level": "ALL", "includeExecutionData": True, "destinations": logging},
        )
        arns[workflow] = response["stateMachineArn"]
    outputs = {"RejectedTableName": "none", "StateMachineArns": json.dumps(arns)}
    template = {
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    deployment.client("cloudformation").create_stack(StackName=STACK, TemplateBody=json.dumps(template))
