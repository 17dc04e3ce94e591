"""Start a workflow that takes longer than a call may, and read how it ended."""

from typing import Any, Final

import msgspec

from amberflo_workflows.core.aws_call import AwsApi

# The names of executions that the console starts to read something start with it.
CONSOLE_PREFIX: Final = "console-"
STEP_FUNCTIONS: Final = AwsApi(
    service="stepfunctions",
    signing_name="states",
    host="states",
    endpoint_variable="AWS_ENDPOINT_URL_SFN",
    target="AWSStepFunctions",
    json_version="1.0",
    connect_seconds=2,
    read_seconds=5,
)


def start_execution(machine_arn: str, name: str, request: object) -> str:
    """Start a workflow and return the ARN of the execution. With the same name and input, it is started once.

    Raises what :meth:`AwsApi.call` raises.
    """
    text = msgspec.json.encode(request).decode()
    parameters = {"stateMachineArn": machine_arn, "name": name, "input": text}
    arn: str = STEP_FUNCTIONS.call("StartExecution", parameters, repeatable=True)["executionArn"]
    return arn


def describe_execution(machine_arn: str, name: str) -> dict[str, Any]:
    """Return an execution as Step Functions describes it. Raises what :meth:`AwsApi.call` raises."""
    arn = machine_arn.replace(":stateMachine:", ":execution:") + f":{name}"
    return STEP_FUNCTIONS.call("DescribeExecution", {"executionArn": arn}, repeatable=True)
