"""An execution again, from a shell: as the product's HTTP call, and with the AWS command line."""

import json
import shlex
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote, urlencode

from amberflo_workflows.core.usage_record import InvalidUsage, parse_time_in_millis
from amberflo_workflows.infra.operations import OPERATIONS, Route
from amberflo_workflows.operate.deployment import AwsDeployment, Deployment
from amberflo_workflows.operate.executions.machines import Machine

# A shell hands no longer word on; Linux takes 128 KiB.
_LONGEST_WORD: Final = 100_000
_ROUTES: Final = {one.name: one.route for one in OPERATIONS if one.route}


def as_curl(endpoint: str, workflow: str, text: str) -> str | None:
    """The HTTP call that starts a workflow with an input; ``None`` if there is none."""
    route, request = _ROUTES.get(workflow), _parsed(text)
    if route is None or not isinstance(request, dict):
        return None
    address, body = _called(endpoint, route, request)
    command = f'curl -sS -X {route.method} -H "Authorization: Bearer $ACCESS_TOKEN" {shlex.quote(address)}'
    if body is None:
        return command
    command += " -H 'Content-Type: application/json'"
    return _with_data(command, "--data-binary {}", "@-", body)


def as_aws_cli(deployment: Deployment, machine: Machine, text: str) -> str:
    """The command that starts a workflow with an input; of an express one it waits for the end."""
    which = "start-sync-execution" if machine.is_express else "start-execution"
    command = f"aws stepfunctions {which} --region {machine.arn.split(':')[3]}"
    if isinstance(deployment, AwsDeployment) and deployment.profile:
        command += f" --profile {shlex.quote(deployment.profile)}"
    command += f" --state-machine-arn {shlex.quote(machine.arn)}"
    return _with_data(command, "--input {}", "file:///dev/stdin", text)


def _called(endpoint: str, route: Route, request: dict[str, Any]) -> tuple[str, str | None]:
    """The address, and the body if the call has one."""
    rest = dict(request)
    path = route.path.lstrip("/")
    if "{meterId}" in path:
        path = path.replace("{meterId}", quote(str(rest.pop("meterId", "")), safe=""))
    if route.method == "GET":
        query = urlencode({name: _plain(value) for name, value in rest.items()})
        return f"{endpoint}{path}" + (f"?{query}" if query else ""), None
    if route.method == "DELETE" and "{meterId}" in route.path:
        return f"{endpoint}{path}", None
    if "usages" in rest:
        rest = {"records": list(_records(rest["usages"]))}
    return f"{endpoint}{path}", json.dumps(rest)


def _records(usages: Any) -> Iterator[Any]:
    """The usages with the identity and the time that they have: what is sent again counts once."""
    for reported in usages if isinstance(usages, list) else []:
        usage = reported.get("usage") if isinstance(reported, dict) else reported
        if not isinstance(usage, dict):
            yield usage
            continue
        own = {"uniqueId": reported.get("eventId"), "meterTimeInMillis": _millis(reported.get("eventTime"))}
        yield {**{name: value for name, value in own.items() if value is not None}, **usage}


def _millis(iso: Any) -> int | None:
    try:
        return parse_time_in_millis(iso)
    except (InvalidUsage, TypeError):
        return None


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_plain, value))
    return value if isinstance(value, str) else json.dumps(value)


def _with_data(command: str, option: str, from_input: str, data: str) -> str:
    """With the data as a word, or as what the command reads if it is too long for one."""
    if len(data.encode()) <= _LONGEST_WORD:
        return f"{command} {option.format(shlex.quote(data))}"
    end = "END"
    while end in data:
        end += "D"
    return f"{command} {option.format(from_input)} <<'{end}'\n{data}\n{end}"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
