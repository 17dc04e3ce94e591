"""The shell commands that start an execution again, run by a real shell."""

import json
import subprocess
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from amberflo_workflows.console.execution.shell import as_aws_cli, as_curl
from amberflo_workflows.console.execution.usages import build_usage_rows
from amberflo_workflows.operate.deployment import AwsDeployment
from amberflo_workflows.operate.executions.machines import Machine
from tests.operate.executions.histories import History

ENDPOINT = "http://127.0.0.1:1/_aws/execute-api/some/$default/"
SPECIAL_CHARACTERS = {"label": "it's $HOME `id` \"\\\n\u2028\u00e9", "meterApiName": "a b/c?d&e"}
# Replaces the program: prints its arguments and its standard input.
PROGRAM = '() { printf "%s\\0" "$@"; if [[ "$*" == *@-* || "$*" == */dev/stdin* ]]; then cat; fi; }; '


@dataclass(frozen=True)
class ShellCall:
    arguments: list[str]
    stdin: str

    def after(self, option: str) -> str:
        return self.arguments[self.arguments.index(option) + 1]


def _run(program: str, command: str | None) -> ShellCall:
    assert command is not None
    environment = {"ACCESS_TOKEN": "the token", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    script = program + PROGRAM + command
    result = subprocess.run(
        ["/bin/bash", "-s"], input=script, env=environment, capture_output=True, text=True, check=True
    )
    *arguments, stdin = result.stdout.split("\0")
    return ShellCall(arguments, stdin)


def _curl(workflow: str, request: Any) -> ShellCall:
    return _run("curl", as_curl(ENDPOINT, workflow, json.dumps(request)))


def _url(call: ShellCall) -> str:
    (url,) = (argument for argument in call.arguments if argument.startswith(ENDPOINT))
    return url.removeprefix(ENDPOINT)


def test_the_body_is_passed_unchanged() -> None:
    call = _curl("create_meter", SPECIAL_CHARACTERS)
    assert (call.after("-X"), _url(call)) == ("POST", "meters")
    assert json.loads(call.after("--data-binary")) == SPECIAL_CHARACTERS
    assert "Authorization: Bearer the token" in call.arguments


@pytest.mark.parametrize(
    ("workflow", "method", "path"),
    [
        ("get_meter", "GET", "meters/a%2Fb%20c"),
        ("delete_meter", "DELETE", "meters/a%2Fb%20c"),
        ("update_meter", "PUT", "meters/a%2Fb%20c"),
    ],
)
def test_the_meter_id_is_part_of_the_url(workflow: str, method: str, path: str) -> None:
    call = _curl(workflow, {"meterId": "a/b c", **({"label": "new"} if method == "PUT" else {})})
    assert (call.after("-X"), _url(call)) == (method, path)
    assert ("--data-binary" in call.arguments) == (method == "PUT")
    if method == "PUT":
        assert json.loads(call.after("--data-binary")) == {"label": "new"}


def test_a_get_request_has_a_query_string() -> None:
    request = {"meterId": "m", "groupBy": ["a", "b c"], "take": 5, "filter.region": "e&u", "meterApiName": "x"}
    url = urlsplit(_url(_curl("fetch_usage", request)))
    assert url.path == "usage/m"
    expected = {"groupBy": ["a", "b c"], "take": ["5"], "filter.region": ["e&u"], "meterApiName": ["x"]}
    assert parse_qs(url.query) == expected


def test_the_values_of_a_filter_stay_apart() -> None:
    request = {"meterId": "m", "tenantId": ["Acme, Inc.", "b"], "filter.region": "eu,us", "filter.method": []}
    query = urlsplit(_url(_curl("fetch_usage", request))).query
    # An empty list is rejected, and so is the empty value.
    expected = {"tenantId": ["Acme, Inc.", "b"], "filter.region": ["eu,us"], "filter.method": [""]}
    assert parse_qs(query, keep_blank_values=True) == expected


def test_usages_keep_their_id_and_time() -> None:
    usages = [
        {"eventId": "e", "eventTime": "2026-01-01T00:00:00Z", "index": 0, "usage": {"tenantId": "t"}},
        {"eventId": "f", "eventTime": "never", "index": 1, "usage": {"tenantId": "t", "uniqueId": "own"}},
        {"eventId": "g", "eventTime": None, "index": 2, "usage": "not usage"},
    ]
    body = json.loads(_curl("ingest_usage", {"usages": usages}).after("--data-binary"))
    assert body["records"] == [
        {"uniqueId": "e", "meterTimeInMillis": 1_767_225_600_000, "tenantId": "t"},
        {"uniqueId": "own", "tenantId": "t"},
        "not usage",
    ]


def test_without_a_route_or_valid_input_there_is_no_command() -> None:
    assert as_curl(ENDPOINT, "create_customer", "{}") is None
    assert as_curl(ENDPOINT, "create_meter", "[]") is None
    assert as_curl(ENDPOINT, "create_meter", "not JSON") is None


@pytest.mark.parametrize(("is_express", "subcommand"), [(True, "start-sync-execution"), (False, "start-execution")])
@pytest.mark.parametrize("length", [10, 200_000], ids=["short", "too long for an argument"])
def test_the_aws_cli_command_passes_the_input_unchanged(is_express: bool, subcommand: str, length: int) -> None:
    text = json.dumps({**SPECIAL_CHARACTERS, "END": "y" * length}, indent=1, ensure_ascii=False)
    arn = "arn:aws:states:eu-west-1:1:stateMachine:Some"
    described = {"type": "EXPRESS" if is_express else "STANDARD"}
    machine = Machine("some", arn, SimpleNamespace(describe_state_machine=lambda **_: described))
    call = _run("aws", as_aws_cli(AwsDeployment("Stack", profile="my own"), machine, text))
    assert call.arguments[:2] == ["stepfunctions", subcommand]
    assert (call.after("--region"), call.after("--profile")) == ("eu-west-1", "my own")
    assert call.after("--state-machine-arn") == arn
    option = call.after("--input")
    assert (call.stdin.removesuffix("\n") if option.startswith("file:") else option) == text
    assert max(map(len, call.arguments)) < 131_072


@pytest.mark.parametrize(
    "text", [None, "not JSON", "[]", '{"usages": 3}', '{"usages": [3, null, {"usage": []}]}', "[" * 9999]
)
def test_invalid_ingest_input_has_usages_without_members(text: str | None) -> None:
    history = History()
    history.add("ExecutionStarted", input=text)
    execution = history.build_execution()
    assert build_usage_rows(execution) == []
    ingest = replace(execution, summary=replace(execution.summary, workflow="ingest_usage"))
    assert all((row.tenant, row.meter, row.status) == ("", "", "") for row in build_usage_rows(ingest))
