"""A file on S3, read by ``backfill_usage``: start it, and follow it to its end."""

import json
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from amberflo_workflows.core.s3_object import S3Object
from amberflo_workflows.core.usage_file import FileOptions
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError

_POLL_SECONDS: Final = 1.0


class RangeProgress(NamedTuple):
    """Ranges of the file that were sent, of how many."""

    done: int
    total: int


def start(deployment: Deployment, found: S3Object, reading: FileOptions) -> str:
    """Start the workflow; its execution's ARN."""
    request = {
        "bucket": found.bucket,
        "key": found.key,
        "name": reading.name,
        "format": reading.format,
        "columns": reading.columns,
        "constants": reading.constants,
        "ignore": reading.ignore,
    }
    machine = deployment.state_machine_arns["backfill_usage"]
    started = deployment.client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(request))
    arn: str = started["executionArn"]
    return arn


def follow(deployment: Deployment, arn: str) -> Iterator[RangeProgress]:
    """How far it is, until it ends."""
    client = deployment.client("stepfunctions")
    while client.describe_execution(executionArn=arn)["status"] == "RUNNING":
        for run in client.list_map_runs(executionArn=arn)["mapRuns"]:
            counts = client.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
            yield RangeProgress(counts["succeeded"] + counts["failed"], counts["total"])
        time.sleep(_POLL_SECONDS)


def fetch_result(deployment: Deployment, arn: str) -> dict[str, int]:
    """What became of the file: ``ranges``, ``accepted``, ``rejected``. Raises :class:`OperatorError` if it failed."""
    ended: dict[str, Any] = deployment.client("stepfunctions").describe_execution(executionArn=arn)
    if ended["status"] != "SUCCEEDED":
        raise OperatorError(f"{ended.get('error', ended['status'])}: {ended.get('cause', '')} Execution {arn}")
    answer = json.loads(ended["output"])
    if answer["statusCode"] != 200:
        raise OperatorError(answer["body"]["message"])
    data: dict[str, int] = answer["body"]["data"]
    return data
