"""The alarms as they were deployed, and what the emulator has of the metrics that they watch."""

import json
import re
from dataclasses import dataclass
from typing import Any

from amberflo_workflows.infra.operations import OPERATIONS
from amberflo_workflows.local.system import STACK, System

# CDK puts the construct's id before a resource's name, and a hash behind it.
_NAME = re.compile(r"Monitoring(\w+)[0-9A-F]{8}")
_OF_EACH_WORKFLOW = re.compile("^(" + "|".join(one.pascal_name for one in OPERATIONS) + ")(?=(Failed|TimedOut)$)")
_OF_EACH_RULE = re.compile("^.*(?=EventsLost$)")


@dataclass(frozen=True)
class Alarm:
    """What an alarm watches, and from where on it rings."""

    namespace: str
    metric: str
    dimensions: dict[str, str]
    statistic: str
    threshold: float


def alarm_names(template: dict[str, Any]) -> dict[str, str]:
    """The names of the alarms in a template, by their logical ids."""
    found = {}
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            match = _NAME.fullmatch(logical_id)
            assert match, logical_id
            found[logical_id] = match[1]
    return found


def section_title(name: str) -> str:
    """An alarm's section in the runbook: those of each workflow and of each rule have one together."""
    return _OF_EACH_RULE.sub("…", _OF_EACH_WORKFLOW.sub("…", name))


def fetch_deployed(system: System, template: dict[str, Any]) -> dict[str, Alarm]:
    """The alarms by their names, with what their dimensions stand for."""
    resources = system.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
    named = alarm_names(template)
    by_physical = {
        one["PhysicalResourceId"].rsplit(":", 1)[-1]: named[one["LogicalResourceId"]]
        for one in resources.search("StackResourceSummaries[]")
        if one["LogicalResourceId"] in named
    }
    pages = system.client("cloudwatch").get_paginator("describe_alarms").paginate()
    return {
        by_physical[one["AlarmName"]]: Alarm(
            one["Namespace"],
            one["MetricName"],
            {dimension["Name"]: dimension["Value"] for dimension in one["Dimensions"]},
            one["Statistic"],
            one["Threshold"],
        )
        for one in pages.search("MetricAlarms[]")
        if one["AlarmName"] in by_physical
    }


def sum_emitted(system: System, alarm: Alarm, since_millis: int) -> float:
    """The sum of what Lambdas have counted in their logs for an alarm's metric, under its dimensions."""
    logs, total = system.client("logs"), 0.0
    # Not by listing the log groups, which the emulator cannot while one is being made.
    for group in _log_groups(system):
        found = logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since_millis)
        for message in found.search("events[].message"):
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
        metrics = {one["Name"] for one in directive["Metrics"]}
        dimensions = [{name: line[name] for name in alarm_names} for alarm_names in directive["Dimensions"]]
        if directive["Namespace"] == alarm.namespace and alarm.metric in metrics and alarm.dimensions in dimensions:
            return float(sum(line[alarm.metric]) if isinstance(line[alarm.metric], list) else line[alarm.metric])
    return 0
