"""Backfill a file on S3 with the workflow ``backfill_usage``: start it, and follow it to its end."""

import json
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from amberflo_workflows.core.file_options import FileOptions
from amberflo_workflows.core.s3_object import S3Object
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError

_POLL_SECONDS: Final = 1.0


class RangeProgress(NamedTuple):
    """Ranges of the file that are done, of their total."""

    done: int
    total: int


def start(deployment: Deployment, s3_object: S3Object, options: FileOptions, *, after_cancellation: bool) -> str:
    """Start the workflow and return the ARN of its execution."""
    # Only what is set, so that the workflow of an older stack accepts the options that it has.
    defaults = msgspec.to_builtins(FileOptions("", options.format))
    chosen = {name: value for name, value in msgspec.to_builtins(options).items() if value != defaults[name]}
    request = {"bucket": s3_object.bucket, "key": s3_object.key, "format": options.format, **chosen}
    if after_cancellation:
        request["afterCancellation"] = True
    machine = deployment.state_machine_arns["backfill_usage"]
    response = deployment.client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(request))
    arn: str = response["executionArn"]
    return arn


def follow(deployment: Deployment, arn: str) -> Iterator[RangeProgress]:
    """Yield the progress until the execution ends."""
    client = deployment.client("stepfunctions")
    while client.describe_execution(executionArn=arn)["status"] == "RUNNING":
        for run in client.get_paginator("list_map_runs").paginate(executionArn=arn).search("mapRuns[]"):
            counts = client.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
            yield RangeProgress(counts["succeeded"] + counts["failed"], counts["total"])
        time.sleep(_POLL_SECONDS)


def fetch_result(deployment: Deployment, arn: str) -> dict[str, int]:
    """Fetch the counts ``ranges``, ``accepted`` and ``rejected``. Raises :class:`OperatorError` if it failed."""
    execution: dict[str, Any] = deployment.client("stepfunctions").describe_execution(executionArn=arn)
    if execution["status"] != "SUCCEEDED":
        raise OperatorError(
            f"{execution.get('error', execution['status'])}: {execution.get('cause', '')} Execution {arn}"
        )
    response = json.loads(execution["output"])
    if response["statusCode"] != 200:
        raise OperatorError(response["body"]["message"])
    data: dict[str, int] = response["body"]["data"]
    return data
