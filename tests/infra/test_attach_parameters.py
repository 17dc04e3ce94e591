"""What ``make attach`` reads of AWS, and which parameters it passes, without a control plane."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from amberflo_workflows.infra.app import synth
from amberflo_workflows.infra.attach import CannotAttach, ControlPlane, build_stack_parameters, fetch_route_ids
from amberflo_workflows.infra.operations import list_routes
from amberflo_workflows.infra.settings import Settings
from tests.infra.aws_pages import PAGE_SIZE, cloudformation_with_pages
from tests.infra.conftest import get_resources

OUTPUTS = {
    "controlPlaneAPIEndpoint": "https://api.execute-api.us-east-1.amazonaws.com/",
    "eventBridgeArn": "arn:aws:events:us-east-1:111122223333:event-bus/theirs",
    "ControlPlaneIdpUserPoolId": "us-east-1_pool",
    "ControlPlaneIdpClientId": "client",
}
PLANE = ControlPlane(OUTPUTS)
ROUTE = "AWS::ApiGatewayV2::Route"


def _synth_attached(folder: Path, settings: Settings) -> dict[str, Any]:
    path = synth("aws", folder / "out", settings, "attach") / f"{settings.stack_name}.template.json"
    template: dict[str, Any] = json.loads(path.read_text())
    return template


def test_our_routes_are_recognised_on_every_page_of_a_stacks_resources(tmp_path: Path) -> None:
    resources = _synth_attached(tmp_path, Settings())["Resources"]
    # The routes come last, so that none of them is on the first page.
    types = dict(sorted(((name, item["Type"]) for name, item in resources.items()), key=lambda pair: pair[1] == ROUTE))
    assert len(types) > PAGE_SIZE
    with cloudformation_with_pages({"Attached": types}) as cloudformation:
        routes = fetch_route_ids(cloudformation, "Attached")
    assert routes == {name for name, kind in types.items() if kind == ROUTE}
    assert len(routes) == len(list_routes())


def test_only_a_stack_that_does_not_exist_has_no_routes() -> None:
    with cloudformation_with_pages({"Forbidden": {}}) as cloudformation:
        assert fetch_route_ids(cloudformation, "Another") == frozenset()
        with pytest.raises(ClientError, match="not authorized"):
            fetch_route_ids(cloudformation, "Forbidden")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"own_authorizer": True}, ("", "us-east-1_pool", "client")),
        ({"own_authorizer": False, "issuer": "https://issuer.example.com"}, ("", "", "")),
        ({"own_authorizer": False, "authorizer_id": "chosen"}, ("chosen", "", "")),
    ],
)
def test_every_parameter_is_passed_also_if_it_is_empty(choice: dict[str, Any], expected: tuple[str, ...]) -> None:
    # None of these choices reads the API.
    values = build_stack_parameters(PLANE, gateway=None, **choice)
    names = ("AuthorizerId", "ControlPlaneIdpUserPoolId", "ControlPlaneIdpClientId")
    assert values == {**OUTPUTS, **dict(zip(names, expected, strict=True))}


def test_every_parameter_of_the_template_is_passed(tmp_path: Path) -> None:
    parameters = _synth_attached(tmp_path, Settings())["Parameters"].keys() - {"BootstrapVersion"}
    assert parameters == build_stack_parameters(PLANE, gateway=None, own_authorizer=True).keys()


def test_with_an_issuer_no_parameter_can_select_another_authorizer(tmp_path: Path) -> None:
    template = _synth_attached(tmp_path, Settings(issuer="https://issuer.example.com", audience=("app",)))
    assert template["Parameters"].keys() == {"controlPlaneAPIEndpoint", "eventBridgeArn", "BootstrapVersion"}
    ((logical_id, authorizer),) = get_resources(template, "AWS::ApiGatewayV2::Authorizer").items()
    assert authorizer["JwtConfiguration"] == {"Issuer": "https://issuer.example.com", "Audience": ["app"]}
    routes = get_resources(template, ROUTE).values()
    assert {json.dumps(route["AuthorizerId"]) for route in routes} == {json.dumps({"Ref": logical_id})}


@pytest.mark.parametrize(
    "choice",
    [
        {"own_authorizer": True, "issuer": "https://issuer.example.com"},
        {"own_authorizer": True, "authorizer_id": "chosen"},
        {"own_authorizer": False, "issuer": "https://issuer.example.com", "authorizer_id": "chosen"},
    ],
)
def test_two_choices_of_an_authorizer_are_rejected(choice: dict[str, Any]) -> None:
    with pytest.raises(CannotAttach, match="exclude each other"):
        build_stack_parameters(PLANE, gateway=None, **choice)


def test_the_standalone_stack_has_no_parameter_whose_previous_value_could_remain(aws: dict[str, Any]) -> None:
    assert aws["Parameters"].keys() == {"BootstrapVersion"}


@pytest.mark.parametrize("command", ["deploy", "attach"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-c", "stackname=x"], "Unknown setting 'stackname'"),
        (["-cstackname=x"], "Unknown setting 'stackname'"),
        (["--context=logRetentionDays=5"], "logRetentionDays must be one of"),
        (["--context", "issuer=https://x"], "issuer and audience must be set together"),
        (["-c"], "key=value must follow"),
        (["--parameters", "AuthorizerId"], "key=value, not 'AuthorizerId'"),
    ],
)
def test_an_invalid_argument_is_one_line_before_anything_starts(
    command: str, arguments: list[str], message: str, tmp_path: Path
) -> None:
    stack = ["ControlPlaneStack"] if command == "attach" else []
    result = subprocess.run(
        [sys.executable, "-m", f"amberflo_workflows.infra.{command}", *stack, *arguments],
        env={"PATH": "", "AWS_REGION": "us-east-1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout, len(result.stderr.strip().splitlines())) == (1, "", 1), result.stderr
    assert message in result.stderr


def test_settings_in_the_file_of_the_project_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "cdk.json").write_text(json.dumps({"context": {"issuer": "https://issuer.example.com"}}))
    result = subprocess.run(
        [sys.executable, "-m", "amberflo_workflows.infra.deploy"],
        env={"PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, "issuer and audience must be set together" in result.stderr) == (1, True)
