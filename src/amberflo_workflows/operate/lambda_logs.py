"""The log lines of a deployment's Lambdas, oldest first."""

import time
from collections.abc import Iterator
from typing import Final

from amberflo_workflows.operate.deployment import Deployment

_POLL_SECONDS: Final = 1.0


def log_lines(deployment: Deployment, *, minutes: int, follow: bool) -> Iterator[str]:
    """Lines of all functions since so many minutes ago; with ``follow`` it does not end. Raises botocore's errors."""
    client, groups = deployment.client("logs"), _groups(deployment)
    since = int((time.time() - minutes * 60) * 1000)
    while True:
        events = []
        for group in groups:
            found = client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
            events += [(event["timestamp"], event["message"].rstrip()) for event in found.search("events[]")]
        for timestamp, message in sorted(events):
            since = max(since, timestamp + 1)
            yield message
        if not follow:
            return
        time.sleep(_POLL_SECONDS)


def _groups(deployment: Deployment) -> list[str]:
    """The log groups of its functions, not those of its workflows and its API."""
    pages = deployment.client("cloudformation").get_paginator("list_stack_resources")
    resources = pages.paginate(StackName=deployment.stack).search("StackResourceSummaries[]")
    return [
        resource["PhysicalResourceId"]
        for resource in resources
        if resource["ResourceType"] == "AWS::Logs::LogGroup" and "Functions" in resource["LogicalResourceId"]
    ]
