"""What is to be copied into a shell arrives there as it was meant."""

import json
import subprocess
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from amberflo_workflows.console.execution.shell import as_aws_cli, as_curl
from amberflo_workflows.console.execution.usages import usages_of
from amberflo_workflows.operate.deployment import AwsDeployment
from amberflo_workflows.operate.executions.machines import Machine
from tests.operate.executions.histories import History

ENDPOINT = "http://127.0.0.1:1/_aws/execute-api/some/$default/"
NASTY = {"label": "it's $HOME `id` \"\\\n\u2028\u00e9", "meterApiName": "a b/c?d&e"}
# In place of the programs: what they were given, and what they could read.
PROGRAM = '() { printf "%s\\0" "$@"; if [[ "$*" == *@-* || "$*" == */dev/stdin* ]]; then cat; fi; }; '


@dataclass(frozen=True)
class Called:
    words: list[str]
    read: str

    def after(self, option: str) -> str:
        return self.words[self.words.index(option) + 1]


def _called(program: str, command: str | None) -> Called:
    assert command is not None
    environment = {"ACCESS_TOKEN": "the token", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    script = program + PROGRAM + command
    done = subprocess.run(
        ["/bin/bash", "-s"], input=script, env=environment, capture_output=True, text=True, check=True
    )
    *words, read = done.stdout.split("\0")
    return Called(words, read)


def _curl(workflow: str, request: Any) -> Called:
    return _called("curl", as_curl(ENDPOINT, workflow, json.dumps(request)))


def _address(called: Called) -> str:
    (address,) = (word for word in called.words if word.startswith(ENDPOINT))
    return address.removeprefix(ENDPOINT)


def test_a_body_arrives_as_it_is() -> None:
    called = _curl("create_meter", NASTY)
    assert (called.after("-X"), _address(called)) == ("POST", "meters")
    assert json.loads(called.after("--data-binary")) == NASTY
    assert "Authorization: Bearer the token" in called.words


@pytest.mark.parametrize(
    ("workflow", "method", "path"),
    [
        ("get_meter", "GET", "meters/a%2Fb%20c"),
        ("delete_meter", "DELETE", "meters/a%2Fb%20c"),
        ("update_meter", "PUT", "meters/a%2Fb%20c"),
    ],
)
def test_an_id_becomes_part_of_the_address(workflow: str, method: str, path: str) -> None:
    called = _curl(workflow, {"meterId": "a/b c", **({"label": "new"} if method == "PUT" else {})})
    assert (called.after("-X"), _address(called)) == (method, path)
    assert ("--data-binary" in called.words) == (method == "PUT")
    if method == "PUT":
        assert json.loads(called.after("--data-binary")) == {"label": "new"}


def test_a_question_becomes_a_query() -> None:
    request = {"meterId": "m", "groupBy": ["a", "b c"], "take": 5, "filter.region": "e&u", "meterApiName": "x"}
    address = urlsplit(_address(_curl("fetch_usage", request)))
    assert address.path == "usage/m"
    expected = {"groupBy": ["a,b c"], "take": ["5"], "filter.region": ["e&u"], "meterApiName": ["x"]}
    assert parse_qs(address.query) == expected


def test_usages_keep_their_identity_and_time() -> None:
    usages = [
        {"eventId": "e", "eventTime": "2026-01-01T00:00:00Z", "index": 0, "usage": {"tenantId": "t"}},
        {"eventId": "f", "eventTime": "never", "index": 1, "usage": {"tenantId": "t", "uniqueId": "own"}},
        {"eventId": "g", "eventTime": None, "index": 2, "usage": "no usage"},
    ]
    body = json.loads(_curl("ingest_usage", {"usages": usages}).after("--data-binary"))
    assert body["records"] == [
        {"uniqueId": "e", "meterTimeInMillis": 1_767_225_600_000, "tenantId": "t"},
        {"uniqueId": "own", "tenantId": "t"},
        "no usage",
    ]


def test_what_has_no_route_or_no_form_has_no_call() -> None:
    assert as_curl(ENDPOINT, "create_customer", "{}") is None
    assert as_curl(ENDPOINT, "create_meter", "[]") is None
    assert as_curl(ENDPOINT, "create_meter", "no JSON") is None


@pytest.mark.parametrize(("is_express", "word"), [(True, "start-sync-execution"), (False, "start-execution")])
@pytest.mark.parametrize("length", [10, 200_000], ids=["short", "too long for a word"])
def test_the_aws_command_line_gets_the_input_as_it_is(is_express: bool, word: str, length: int) -> None:
    text = json.dumps({**NASTY, "END": "y" * length}, indent=1, ensure_ascii=False)
    arn = "arn:aws:states:eu-west-1:1:stateMachine:Some"
    described = {"type": "EXPRESS" if is_express else "STANDARD"}
    machine = Machine("some", arn, SimpleNamespace(describe_state_machine=lambda **_: described))
    called = _called("aws", as_aws_cli(AwsDeployment("Stack", profile="my own"), machine, text))
    assert called.words[:2] == ["stepfunctions", word]
    assert (called.after("--region"), called.after("--profile")) == ("eu-west-1", "my own")
    assert called.after("--state-machine-arn") == arn
    given = called.after("--input")
    assert (called.read.removesuffix("\n") if given.startswith("file:") else given) == text
    assert max(map(len, called.words)) < 131_072


@pytest.mark.parametrize(
    "text", [None, "no JSON", "[]", '{"usages": 3}', '{"usages": [3, null, {"usage": []}]}', "[" * 9999]
)
def test_an_ingest_of_no_form_has_usages_without_members(text: str | None) -> None:
    history = History()
    history.add("ExecutionStarted", input=text)
    execution = history.build_execution()
    assert usages_of(execution) == []
    ingest = replace(execution, summary=replace(execution.summary, workflow="ingest_usage"))
    assert all((one.tenant, one.meter, one.became) == ("", "", "") for one in usages_of(ingest))
