"""Metering for an existing control plane, whose API and bus belong to another stack."""

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
from amberflo_workflows.infra.operations import list_routes
from amberflo_workflows.infra.settings import InvalidSetting, Settings
from amberflo_workflows.local import tokens
from amberflo_workflows.local.deploy import deploy
from amberflo_workflows.local.expired_tokens import build_expired_token
from amberflo_workflows.local.system import System
from tests.conftest import sandbox_of
from tests.infra.conftest import get_event_rules, get_resources
from tests.infra.control_plane import STACK, synth_control_plane
from tests.polling import wait_until

OURS = "Attached"
METER = {"label": "API calls", "meterApiName": "api-calls", "meterType": "sum_of_all_usage"}
USAGE: dict[str, Any] = {"meterApiName": "api-calls", "meterValue": 5}
PASSWORD = "Correct-horse-battery-1"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = synth(
        "aws", tmp_path_factory.mktemp("attach") / "out", Settings(write_scope="tenant/tenant_write"), "attach"
    )
    template: dict[str, Any] = json.loads((folder / f"{Settings().stack_name}.template.json").read_text())
    return template


def test_all_routes_are_on_the_control_planes_api_with_one_authorizer(template: dict[str, Any]) -> None:
    routes = list(get_resources(template, "AWS::ApiGatewayV2::Route").values())
    by_key = {route["RouteKey"]: route for route in routes}
    assert by_key.keys() == {f"{route.method} {route.path}" for route in list_routes().values()}
    (api_id,) = {json.dumps(route["ApiId"]) for route in routes}
    assert '{"Ref": "controlPlaneAPIEndpoint"}' in api_id
    (authorizer,) = {json.dumps(route["AuthorizerId"]) for route in routes}
    assert json.loads(authorizer) == {"Fn::If": ["SecondAuthorizer", {"Ref": "Authorizer"}, {"Ref": "AuthorizerId"}]}
    assert {key: route.get("AuthorizationScopes") for key, route in by_key.items()} == {
        key: None if key.startswith("GET") else ["tenant/tenant_write"] for key in by_key
    }
    assert get_resources(template, "AWS::ApiGatewayV2::Api") == {}


def test_events_come_from_the_control_planes_bus(template: dict[str, Any]) -> None:
    rules = get_event_rules(template)
    assert sorted(detail_type for rule in rules for detail_type in rule["EventPattern"]["detail-type"]) == [
        "ingestUsage",
        "offboardingRequest",
        "onboardingRequest",
        "sbt_aws_ingestUsage",
        "sbt_aws_offboardingRequest",
        "sbt_aws_onboardingRequest",
    ]
    assert all('{"Ref": "eventBridgeArn"}' in json.dumps(rule["EventBusName"]) for rule in rules)
    assert get_resources(template, "AWS::Events::EventBus") == {}


def test_rejects_settings_that_belong_to_the_control_plane(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="adminEmail, eventBusName and corsOrigins cannot be set"):
        synth("aws", tmp_path / "out", Settings(event_bus_name="x"), "attach")


def test_prints_usage_without_a_stack() -> None:
    command = [sys.executable, "-m", "amberflo_workflows.infra.attach"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert 'make attach ARGS="CONTROL_PLANE_STACK' in result.stderr


@dataclass(frozen=True)
class Attached:
    """Our stack attached to a control plane, on the emulator."""

    system: System
    plane: ControlPlane
    folder: Path

    def deploy(self, *, own_authorizer: bool, scope: str | None = None) -> dict[str, str]:
        parameters = build_stack_parameters(
            self.plane, self.system.client("apigatewayv2"), own_authorizer=own_authorizer
        )
        settings = Settings(
            stack_name=OURS, amberflo_base_url=self.system.amberflo_url, read_scope=scope, write_scope=scope
        )
        return deploy(self.system.emulator, synth("local", self.folder / "ours", settings, "attach"), OURS, parameters)

    def fetch_status(self, token: str, method: str = "GET", path: str = "meters", body: Any = None) -> int:
        address = f"{self.system.emulator.url}/_aws/execute-api/{self.plane.api_id}/$default/{path}"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.request(method, address, json=body, headers=headers, timeout=60).status_code

    def put_event(self, source: str, detail_type: str, detail: dict[str, Any]) -> None:
        """Put an event on the control plane's bus."""
        entry = {
            "EventBusName": self.plane.outputs["eventBridgeArn"],
            "Source": source,
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
        }
        assert self.system.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    def fetch_user_token(self) -> str:
        """Create a user, sign in, and return the access token."""
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

    def fetch_machine_token(self, scope: str = "tenant/tenant_write") -> str:
        outputs = self.plane.outputs
        ids = {"UserPoolId": outputs["ControlPlaneIdpUserPoolId"], "UserPoolClientId": outputs["MachineClientId"]}
        return tokens.fetch_access_token(self.system.emulator, ids, (scope,))


@pytest.fixture
def attached(system: System, tmp_path: Path) -> Iterator[Attached]:
    outputs = deploy(system.emulator, synth_control_plane(tmp_path / "theirs"), STACK)
    yield Attached(system, ControlPlane(outputs), tmp_path)
    for stack in (OURS, STACK):
        system.client("cloudformation").delete_stack(StackName=stack)


@pytest.mark.emulator
def test_routes_accept_only_the_control_planes_tokens(attached: Attached, system_folder: Path) -> None:
    attached.deploy(own_authorizer=False)
    user, pool = attached.fetch_user_token(), attached.plane.outputs["ControlPlaneIdpUserPoolId"]
    for valid in (user, attached.fetch_machine_token()):
        assert attached.fetch_status(valid) == 200
    assert attached.fetch_status(user, "POST", "meters", METER) == 201
    expired = build_expired_token(user, system_folder / "emulator", pool)
    for invalid in ("", "garbage", attached.system.access_token, expired, _remove_signature(user)):
        assert attached.fetch_status(invalid) == 401


@pytest.mark.emulator
def test_a_second_authorizer_accepts_only_tokens_of_its_client(attached: Attached, system_folder: Path) -> None:
    attached.deploy(own_authorizer=True)
    user, pool = attached.fetch_user_token(), attached.plane.outputs["ControlPlaneIdpUserPoolId"]
    assert attached.fetch_status(user) == 200
    expired = build_expired_token(user, system_folder / "emulator", pool)
    # The machine client is a different audience, and the local system's pool a different issuer.
    for invalid in ("", attached.fetch_machine_token(), attached.system.access_token, expired, _remove_signature(user)):
        assert attached.fetch_status(invalid) == 401


@pytest.mark.emulator
def test_a_second_authorizer_replaces_the_shared_one(attached: Attached) -> None:
    machine = attached.fetch_machine_token()
    for own_authorizer, status in ((False, 200), (True, 401)):
        attached.deploy(own_authorizer=own_authorizer)
        assert attached.fetch_status(machine) == status
    assert attached.fetch_status(attached.fetch_user_token()) == 200


@pytest.mark.emulator
def test_a_configured_scope_is_required(attached: Attached) -> None:
    attached.deploy(own_authorizer=False, scope="tenant/tenant_write")
    assert attached.fetch_status(attached.fetch_machine_token()) == 200
    assert attached.fetch_status(attached.fetch_machine_token("tenant/tenant_read")) == 403


@pytest.mark.meters("api-calls")
@pytest.mark.emulator
@pytest.mark.parametrize("prefix", ["", "sbt_aws_"])
def test_processes_events_of_the_control_planes_bus(attached: Attached, prefix: str) -> None:
    attached.deploy(own_authorizer=False)
    tenant = f"tenant-{uuid.uuid4()}"
    for detail_type, detail in (("ingestUsage", USAGE), ("onboardingRequest", {})):
        attached.put_event("applicationPlaneEventSource", prefix + detail_type, {**detail, "tenantId": tenant})
    sandbox = sandbox_of(attached.system)
    assert wait_until(lambda: sandbox.totals("api-calls") == {tenant: 5})
    assert wait_until(lambda: tenant in sandbox.customers())


@pytest.mark.meters("api-calls")
@pytest.mark.emulator
def test_a_standalone_stack_becomes_an_attached_one_and_keeps_its_queue(attached: Attached) -> None:
    """The steps of docs/migration.md: first usage of a source that the old metering ignores, then of any source."""
    system, bus = attached.system, attached.plane.outputs["eventBridgeArn"].rpartition("/")[2]
    settings = Settings(
        stack_name=OURS, amberflo_base_url=system.amberflo_url, event_bus_name=bus, event_sources=("my.app",)
    )
    standalone = deploy(system.emulator, synth("local", attached.folder / "standalone", settings), OURS)
    tenant = f"tenant-{uuid.uuid4()}"
    attached.put_event("applicationPlaneEventSource", "ingestUsage", {**USAGE, "tenantId": tenant, "meterValue": 100})
    attached.put_event("my.app", "ingestUsage", {**USAGE, "tenantId": tenant})
    sandbox = sandbox_of(system)
    assert wait_until(lambda: sandbox.totals("api-calls") == {tenant: 5})
    outputs = attached.deploy(own_authorizer=False)
    for name in ("UsageQueueUrl", "UsageDeadLetterQueueUrl", "RejectedTableName"):
        assert outputs[name] == standalone[name]
    attached.put_event("applicationPlaneEventSource", "ingestUsage", {**USAGE, "tenantId": tenant})
    assert wait_until(lambda: sandbox.totals("api-calls") == {tenant: 10})
    assert attached.fetch_status(attached.fetch_user_token()) == 200


@pytest.mark.emulator
def test_rejects_routes_of_another_stack_and_accepts_our_own(attached: Attached) -> None:
    cloudformation, gateway = (attached.system.client(name) for name in ("cloudformation", "apigatewayv2"))
    plane = fetch_control_plane(cloudformation, STACK)
    check_routes(plane, gateway, fetch_route_ids(cloudformation, OURS))
    attached.deploy(own_authorizer=False)
    check_routes(plane, gateway, fetch_route_ids(cloudformation, OURS))
    with pytest.raises(CannotAttach, match="already has these routes: DELETE /meters/"):
        check_routes(plane, gateway, fetch_route_ids(cloudformation, "Another"))


@pytest.mark.emulator
def test_names_what_a_stack_lacks_to_be_a_control_plane(attached: Attached) -> None:
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


def _remove_signature(token: str) -> str:
    """Return a token with the same claims and ``alg: none``."""
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    return f"{header}.{token.split('.')[1]}."
