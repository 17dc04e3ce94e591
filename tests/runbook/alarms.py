"""The deployed alarms, and the metrics that Lambdas emit for them on the emulator."""

import json
import re
from dataclasses import dataclass
from typing import Any

from amberflo_workflows.local.system import STACK, System

# A logical id is the construct's id, the resource's name and a hash.
_NAME = re.compile(r"Monitoring(\w+)[0-9A-F]{8}")
_RULE_PREFIX = re.compile("^.*(?=EventsLost$)")


@dataclass(frozen=True)
class Alarm:
    """The metric of an alarm and its threshold."""

    namespace: str
    metric: str
    dimensions: dict[str, str]
    statistic: str
    threshold: float


def alarm_names(template: dict[str, Any]) -> dict[str, str]:
    """Return the names of a template's alarms by their logical ids."""
    names_by_id = {}
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            match = _NAME.fullmatch(logical_id)
            assert match, logical_id
            names_by_id[logical_id] = match[1]
    return names_by_id


def section_title(name: str) -> str:
    """Return the title of an alarm's section in the runbook; "…" stands for any rule."""
    return _RULE_PREFIX.sub("…", name)


def fetch_deployed(system: System, template: dict[str, Any]) -> dict[str, Alarm]:
    """Return the deployed alarms by their names."""
    resources = system.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
    names_by_id = alarm_names(template)
    names_by_physical_id = {
        resource["PhysicalResourceId"].rsplit(":", 1)[-1]: names_by_id[resource["LogicalResourceId"]]
        for resource in resources.search("StackResourceSummaries[]")
        if resource["LogicalResourceId"] in names_by_id
    }
    pages = system.client("cloudwatch").get_paginator("describe_alarms").paginate()
    return {
        names_by_physical_id[alarm["AlarmName"]]: Alarm(
            alarm["Namespace"],
            alarm["MetricName"],
            {dimension["Name"]: dimension["Value"] for dimension in alarm.get("Dimensions", [])},
            alarm["Statistic"],
            alarm["Threshold"],
        )
        for alarm in pages.search("MetricAlarms[]")
        if alarm["AlarmName"] in names_by_physical_id
    }


def sum_emitted(system: System, alarm: Alarm, since_millis: int) -> float:
    """Sum the values of an alarm's metric, with its dimensions, in the logs of all Lambdas."""
    logs, total = system.client("logs"), 0.0
    # Not from DescribeLogGroups, which fails on the emulator while a log group is being created.
    for group in _log_groups(system):
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since_millis)
        for message in pages.search("events[].message"):
            total += _emitted_value(message, alarm)
    return total


def _log_groups(system: System) -> list[str]:
    pages = system.client("lambda").get_paginator("list_functions").paginate()
    return [function["LoggingConfig"]["LogGroup"] for page in pages for function in page["Functions"]]


def _emitted_value(message: str, alarm: Alarm) -> float:
    if '"_aws"' not in message:
        return 0
    line = json.loads(message[message.index("{") :])
    for directive in line["_aws"]["CloudWatchMetrics"]:
        metrics = {metric["Name"] for metric in directive["Metrics"]}
        dimensions = [{name: line[name] for name in names} for names in directive["Dimensions"]]
        if directive["Namespace"] == alarm.namespace and alarm.metric in metrics and alarm.dimensions in dimensions:
            return float(sum(line[alarm.metric]) if isinstance(line[alarm.metric], list) else line[alarm.metric])
    return 0
