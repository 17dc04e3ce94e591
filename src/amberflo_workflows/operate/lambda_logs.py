"""Read the logs of a deployment's Lambda functions."""

import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from amberflo_workflows.operate.deployment import Deployment

_POLL_SECONDS: Final = 1.0


class FunctionLogLine(NamedTuple):
    """A line of a function's log, with the time at which CloudWatch received it, in milliseconds since 1970."""

    timestamp: int
    log_group: str
    message: str


def read_log_lines(deployment: Deployment, *, minutes: int, follow: bool) -> Iterator[FunctionLogLine]:
    """Read the lines of all functions from the last ``minutes``, oldest first; ``follow`` continues without end.

    Raises botocore's errors.
    """
    client, groups = deployment.client("logs"), _list_log_groups(deployment)
    since = int((time.time() - minutes * 60) * 1000)
    while True:
        lines: list[FunctionLogLine] = []
        for group in groups:
            pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
            events = pages.search("events[]")
            lines += [FunctionLogLine(event["timestamp"], group, event["message"].rstrip()) for event in events]
        for line in sorted(lines):
            since = max(since, line.timestamp + 1)
            yield line
        if not follow:
            return
        time.sleep(_POLL_SECONDS)


def _list_log_groups(deployment: Deployment) -> list[str]:
    """Return the log groups of the functions, without those of the workflows and the API."""
    pages = deployment.client("cloudformation").get_paginator("list_stack_resources")
    resources = pages.paginate(StackName=deployment.stack).search("StackResourceSummaries[]")
    return [
        resource["PhysicalResourceId"]
        for resource in resources
        if resource["ResourceType"] == "AWS::Logs::LogGroup" and "Functions" in resource["LogicalResourceId"]
    ]
