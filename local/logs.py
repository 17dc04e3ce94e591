"""The log lines of the local system's Lambdas, oldest first."""

import time
from collections.abc import Iterator

from amberflo_workflows.local.system import System

_POLL_SECONDS = 1.0


def lines(system: System, *, minutes: int, follow: bool) -> Iterator[str]:
    """Lines of all functions since so many minutes ago; with ``follow`` it does not end."""
    client = system.client("logs")
    since = int((time.time() - minutes * 60) * 1000)
    while True:
        events = []
        for group in client.get_paginator("describe_log_groups").paginate().search("logGroups[].logGroupName"):
            found = client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
            events += [(event["timestamp"], event["message"].rstrip()) for event in found.search("events[]")]
        for timestamp, message in sorted(events):
            since = max(since, timestamp + 1)
            yield message
        if not follow:
            return
        time.sleep(_POLL_SECONDS)
