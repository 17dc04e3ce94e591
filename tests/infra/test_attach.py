"""Metering for a control plane that is there already: its API and bus are made by another stack beforehand."""

import base64
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from amberflo_workflows.infra.app import synth
from amberflo_workflows.infra.attach import (
    CannotAttach,
    ControlPlane,
    build_stack_parameters,
    check_routes,
    fetch_control_plane,
    fetch_route_ids,
)
from amberflo_workflows.infra.operations import OPERATIONS
from amberflo_workflows.infra.settings import InvalidSetting, Settings
from amberflo_workflows.local import tokens
from amberflo_workflows.local.deploy import deploy
from amberflo_workflows.local.system import System
from tests.conftest import sandbox_of
from tests.infra.conftest import resources
from tests.infra.control_plane import STACK, synthesised
from tests.polling import soon

OURS = "Attached"
METER = {"label": "API calls", "meterApiName": "api-calls", "meterType": "sum_of_all_usage"}
USAGE: dict[str, Any] = {"meterApiName": "api-calls", "meterValue": 5}
PASSWORD = "Correct-horse-battery-1"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = synth(
        "aws", tmp_path_factory.mktemp("attach") / "out", Settings(write_scope="tenant/tenant_write"), "attach"
    )
    loaded: dict[str, Any] = json.loads((folder / f"{Settings().stack_name}.template.json").read_text())
    return loaded


def test_every_route_goes_onto_the_control_planes_api_behind_one_authorizer(template: dict[str, Any]) -> None:
    routes = list(resources(template, "AWS::ApiGatewayV2::Route").values())
    by_key = {route["RouteKey"]: route for route in routes}
    assert by_key.keys() == {
        f"{operation.route.method} {operation.route.path}" for operation in OPERATIONS if operation.route
    }
    (api_id,) = {json.dumps(route["ApiId"]) for route in routes}
    assert '{"Ref": "controlPlaneAPIEndpoint"}' in api_id
    (authorizer,) = {json.dumps(route["AuthorizerId"]) for route in routes}
    assert json.loads(authorizer) == {"Fn::If": ["SecondAuthorizer", {"Ref": "Authorizer"}, {"Ref": "AuthorizerId"}]}
    assert {key: route.get("AuthorizationScopes") for key, route in by_key.items()} == {
        key: None if key.startswith("GET") else ["tenant/tenant_write"] for key in by_key
    }
    assert resources(template, "AWS::ApiGatewayV2::Api") == {}


def test_events_come_from_the_control_planes_bus(template: dict[str, Any]) -> None:
    rules = resources(template, "AWS::Events::Rule").values()
    assert sorted(kind for rule in rules for kind in rule["EventPattern"]["detail-type"]) == [
        "ingestUsage",
        "offboardingRequest",
        "onboardingRequest",
        "sbt_aws_ingestUsage",
        "sbt_aws_offboardingRequest",
        "sbt_aws_onboardingRequest",
    ]
    assert all('{"Ref": "eventBridgeArn"}' in json.dumps(rule["EventBusName"]) for rule in rules)
    assert resources(template, "AWS::Events::EventBus") == {}


def test_cfn_lint_finds_nothing(template: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "template.json"
    path.write_text(json.dumps(template))
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--ignore-checks", "W3005", "--", str(path)]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == ""


def test_what_is_the_control_planes_to_decide_is_no_setting(tmp_path: Path) -> None:
    # jsii wraps what is raised in a constructor that it has called.
    with pytest.raises(InvalidSetting, match="the control plane's to decide"):
        synth("aws", tmp_path / "out", Settings(event_bus_name="x"), "attach")


def test_without_a_stack_the_command_says_how_it_is_used() -> None:
    command = [sys.executable, "-m", "amberflo_workflows.infra.attach"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert 'make attach ARGS="CONTROL_PLANE_STACK' in done.stderr


@dataclass(frozen=True)
class Attached:
    """Our stack on their API, in an emulator."""

    system: System
    plane: ControlPlane
    folder: Path

    def deploy(self, *, own_authorizer: bool, scope: str | None = None) -> dict[str, str]:
        given = build_stack_parameters(self.plane, self.system.client("apigatewayv2"), own_authorizer=own_authorizer)
        settings = Settings(
            stack_name=OURS, amberflo_base_url=self.system.amberflo_url, read_scope=scope, write_scope=scope
        )
        return deploy(self.system.emulator, synth("local", self.folder / "ours", settings, "attach"), OURS, given)

    def status(self, token: str, method: str = "GET", path: str = "meters", body: Any = None) -> int:
        address = f"{self.system.emulator.url}/_aws/execute-api/{self.plane.api_id}/$default/{path}"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.request(method, address, json=body, headers=headers, timeout=60).status_code

    def put(self, source: str, kind: str, detail: dict[str, Any]) -> None:
        """An event onto the control plane's bus."""
        entry = {
            "EventBusName": self.plane.outputs["eventBridgeArn"],
            "Source": source,
            "DetailType": kind,
            "Detail": json.dumps(detail),
        }
        assert self.system.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    def user_token(self) -> str:
        """An access token of a person who signed in."""
        cognito, outputs = self.system.client("cognito-idp"), self.plane.outputs
        pool, name = outputs["ControlPlaneIdpUserPoolId"], f"user-{uuid.uuid4()}"
        cognito.admin_create_user(UserPoolId=pool, Username=name, MessageAction="SUPPRESS")
        cognito.admin_set_user_password(UserPoolId=pool, Username=name, Password=PASSWORD, Permanent=True)
        signed_in = cognito.initiate_auth(
            ClientId=outputs["ControlPlaneIdpClientId"],
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": name, "PASSWORD": PASSWORD},
        )
        return str(signed_in["AuthenticationResult"]["AccessToken"])

    def machine_token(self, scope: str = "tenant/tenant_write") -> str:
        outputs = self.plane.outputs
        named = {"UserPoolId": outputs["ControlPlaneIdpUserPoolId"], "UserPoolClientId": outputs["MachineClientId"]}
        return tokens.access_token(self.system.emulator, named, (scope,))


@pytest.fixture
def attached(system: System, tmp_path: Path) -> Iterator[Attached]:
    outputs = deploy(system.emulator, synthesised(tmp_path / "theirs"), STACK)
    yield Attached(system, ControlPlane(outputs), tmp_path)
    for stack in (OURS, STACK):
        system.client("cloudformation").delete_stack(StackName=stack)


@pytest.mark.emulator
def test_the_control_planes_own_tokens_open_the_routes_and_others_do_not(
    attached: Attached, system_folder: Path
) -> None:
    attached.deploy(own_authorizer=False)
    user, pool = attached.user_token(), attached.plane.outputs["ControlPlaneIdpUserPoolId"]
    for good in (user, attached.machine_token()):
        assert attached.status(good) == 200
    assert attached.status(user, "POST", "meters", METER) == 201
    expired = tokens.expired(user, system_folder / "emulator", pool)
    for bad in ("", "garbage", attached.system.access_token, expired, _unsigned(user)):
        assert attached.status(bad) == 401


@pytest.mark.emulator
def test_a_second_authorizer_takes_the_tokens_of_the_named_client_only(attached: Attached, system_folder: Path) -> None:
    attached.deploy(own_authorizer=True)
    user, pool = attached.user_token(), attached.plane.outputs["ControlPlaneIdpUserPoolId"]
    assert attached.status(user) == 200
    expired = tokens.expired(user, system_folder / "emulator", pool)
    # The machine client is another audience, the local system's pool another issuer.
    for bad in ("", attached.machine_token(), attached.system.access_token, expired, _unsigned(user)):
        assert attached.status(bad) == 401


@pytest.mark.emulator
def test_a_scope_is_asked_for_where_one_is_set(attached: Attached) -> None:
    attached.deploy(own_authorizer=False, scope="tenant/tenant_write")
    assert attached.status(attached.machine_token()) == 200
    assert attached.status(attached.machine_token("tenant/tenant_read")) == 403


@pytest.mark.emulator
@pytest.mark.parametrize("prefix", ["", "sbt_aws_"])
def test_events_on_the_control_planes_bus_are_dealt_with(attached: Attached, prefix: str) -> None:
    attached.deploy(own_authorizer=False)
    tenant = f"tenant-{uuid.uuid4()}"
    for kind, detail in (("ingestUsage", USAGE), ("onboardingRequest", {})):
        attached.put("applicationPlaneEventSource", prefix + kind, {**detail, "tenantId": tenant})
    sandbox = sandbox_of(attached.system)
    assert soon(lambda: sandbox.totals("api-calls") == {tenant: 5})
    assert soon(lambda: tenant in sandbox.customers())


@pytest.mark.emulator
def test_a_stack_beside_the_control_plane_becomes_one_on_its_api_and_keeps_its_queue(attached: Attached) -> None:
    """The way of docs/migration.md: first another source of usage than the old metering's, then all."""
    system, bus = attached.system, attached.plane.outputs["eventBridgeArn"].rpartition("/")[2]
    settings = Settings(
        stack_name=OURS, amberflo_base_url=system.amberflo_url, event_bus_name=bus, event_sources=("my.app",)
    )
    beside = deploy(system.emulator, synth("local", attached.folder / "beside", settings), OURS)
    tenant = f"tenant-{uuid.uuid4()}"
    attached.put("applicationPlaneEventSource", "ingestUsage", {**USAGE, "tenantId": tenant, "meterValue": 100})
    attached.put("my.app", "ingestUsage", {**USAGE, "tenantId": tenant})
    sandbox = sandbox_of(system)
    assert soon(lambda: sandbox.totals("api-calls") == {tenant: 5})
    outputs = attached.deploy(own_authorizer=False)
    for name in ("UsageQueueUrl", "UsageDeadLetterQueueUrl", "RejectedTableName"):
        assert outputs[name] == beside[name]
    attached.put("applicationPlaneEventSource", "ingestUsage", {**USAGE, "tenantId": tenant})
    assert soon(lambda: sandbox.totals("api-calls") == {tenant: 10})
    assert attached.status(attached.user_token()) == 200


@pytest.mark.emulator
def test_routes_that_are_there_already_are_told_and_our_own_are_not(attached: Attached) -> None:
    cloudformation, gateway = (attached.system.client(name) for name in ("cloudformation", "apigatewayv2"))
    plane = fetch_control_plane(cloudformation, STACK)
    check_routes(plane, gateway, fetch_route_ids(cloudformation, OURS))
    attached.deploy(own_authorizer=False)
    check_routes(plane, gateway, fetch_route_ids(cloudformation, OURS))
    with pytest.raises(CannotAttach, match="has these routes already: DELETE /meters/"):
        check_routes(plane, gateway, fetch_route_ids(cloudformation, "Another"))


@pytest.mark.emulator
def test_what_is_no_control_plane_is_told_by_what_it_lacks(attached: Attached) -> None:
    cloudformation, gateway = (attached.system.client(name) for name in ("cloudformation", "apigatewayv2"))
    with pytest.raises(CannotAttach, match="has no output controlPlaneAPIEndpoint and no output eventBridgeArn"):
        fetch_control_plane(cloudformation, "AmberfloMetering")
    with pytest.raises(CannotAttach, match="The stack NoSuchStack cannot be read"):
        fetch_control_plane(cloudformation, "NoSuchStack")
    outputs = {name: value for name, value in attached.plane.outputs.items() if name != "ControlPlaneIdpClientId"}
    with pytest.raises(CannotAttach, match="no output ControlPlaneIdpClientId"):
        build_stack_parameters(ControlPlane(outputs), gateway, own_authorizer=True)
    api = gateway.create_api(Name="bare", ProtocolType="HTTP")["ApiId"]
    bare = ControlPlane({**outputs, "controlPlaneAPIEndpoint": f"https://{api}.execute-api.us-east-1.amazonaws.com/"})
    with pytest.raises(CannotAttach, match="has 0 JWT authorizers"):
        build_stack_parameters(bare, gateway, own_authorizer=False)


def _unsigned(token: str) -> str:
    """The same claims, with ``alg: none``."""
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    return f"{header}.{token.split('.')[1]}."
