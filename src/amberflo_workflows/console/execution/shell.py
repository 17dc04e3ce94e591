"""Shell commands that start an execution again: with curl and the product's HTTP API, and with the AWS CLI."""

import json
import shlex
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote, urlencode

from amberflo_workflows.core.usage_record import InvalidUsage, parse_time_in_millis
from amberflo_workflows.infra.operations import OPERATIONS, Route
from amberflo_workflows.operate.deployment import AwsDeployment, Deployment
from amberflo_workflows.operate.executions.machines import Machine

# Linux limits an argument of a command to 128 KiB.
_MAX_ARGUMENT_BYTES: Final = 100_000
_ROUTES: Final = {operation.name: operation.route for operation in OPERATIONS if operation.route}


def as_curl(endpoint: str, workflow: str, text: str) -> str | None:
    """The curl command that starts a workflow with an input; ``None`` if no HTTP request has this input."""
    route, request = _ROUTES.get(workflow), _parse_json(text)
    if route is None or not isinstance(request, dict):
        return None
    url, body = _build_request(endpoint, route, request)
    command = f'curl -sS -X {route.method} -H "Authorization: Bearer $ACCESS_TOKEN" {shlex.quote(url)}'
    if body is None:
        return command
    command += " -H 'Content-Type: application/json'"
    return _append_data(command, "--data-binary {}", "@-", body)


def as_aws_cli(deployment: Deployment, machine: Machine, text: str) -> str:
    """The AWS CLI command that starts a workflow with an input. For an express workflow it waits for the end."""
    subcommand = "start-sync-execution" if machine.is_express else "start-execution"
    command = f"aws stepfunctions {subcommand} --region {machine.arn.split(':')[3]}"
    if isinstance(deployment, AwsDeployment) and deployment.profile:
        command += f" --profile {shlex.quote(deployment.profile)}"
    command += f" --state-machine-arn {shlex.quote(machine.arn)}"
    return _append_data(command, "--input {}", "file:///dev/stdin", text)


def _build_request(endpoint: str, route: Route, request: dict[str, Any]) -> tuple[str, str | None]:
    """The URL of the HTTP request, and its body if it has one."""
    members = dict(request)
    path = route.path.lstrip("/")
    if "{meterId}" in path:
        path = path.replace("{meterId}", quote(str(members.pop("meterId", "")), safe=""))
    if route.method == "GET":
        query = urlencode([(name, text) for name, value in members.items() for text in _build_query_values(value)])
        return f"{endpoint}{path}" + (f"?{query}" if query else ""), None
    if route.method == "DELETE" and "{meterId}" in route.path:
        return f"{endpoint}{path}", None
    if "usages" in members:
        members = {"records": list(_build_records(members["usages"]))}
    return f"{endpoint}{path}", json.dumps(members)


def _build_records(usages: Any) -> Iterator[Any]:
    """The usages with the id and the time of their event, so that usage that is sent again counts once."""
    for reported in usages if isinstance(usages, list) else []:
        usage = reported.get("usage") if isinstance(reported, dict) else reported
        if not isinstance(usage, dict):
            yield usage
            continue
        defaults = {"uniqueId": reported.get("eventId"), "meterTimeInMillis": _millis(reported.get("eventTime"))}
        yield {**{name: value for name, value in defaults.items() if value is not None}, **usage}


def _millis(iso: Any) -> int | None:
    try:
        return parse_time_in_millis(iso)
    except (InvalidUsage, TypeError):
        return None


def _build_query_values(value: Any) -> list[str]:
    """The values of a parameter, which is repeated for a list; an empty list is an empty value, not a missing one."""
    values = (value or [""]) if isinstance(value, list) else [value]
    return [item if isinstance(item, str) else json.dumps(item) for item in values]


def _append_data(command: str, option: str, stdin: str, data: str) -> str:
    """Append the data as an argument, or as standard input if it is too long for an argument."""
    if len(data.encode()) <= _MAX_ARGUMENT_BYTES:
        return f"{command} {option.format(shlex.quote(data))}"
    end = "END"
    while end in data:
        end += "D"
    return f"{command} {option.format(stdin)} <<'{end}'\n{data}\n{end}"


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
