"""Start workflows with the credentials of the person who calls."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from amberflo_workflows.core import aws
from amberflo_workflows.entrypoints.workflows import Start

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


def start_with(client: "SFNClient") -> Start:
    """Return how to start workflows with a boto3 client. It raises botocore's errors."""

    def start(machine_arn: str, text: str, *, repeatable: bool) -> Mapping[str, Any]:
        def call() -> Mapping[str, Any]:
            return client.start_sync_execution(stateMachineArn=machine_arn, input=text)

        return aws.repeat_if_disconnected(call) if repeatable else call()

    return start
