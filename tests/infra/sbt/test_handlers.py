"""The functions behind SBT's own integrations and targets: the control plane's wiring, deployed on the emulator."""

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from amberflo_workflows.local.deploy import deploy
from amberflo_workflows.local.system import System
from tests.conftest import sandbox_of
from tests.infra.sbt.conftest import Sbt
from tests.infra.sbt.parts import of_metering
from tests.polling import soon

pytestmark = pytest.mark.emulator

STACK = "MyStack"
PASSWORD = "Correct-horse-battery-1"
METER = {"label": "API calls", "meterApiName": "api-calls", "meterType": "sum_of_all_usage"}
WINDOW = {"startTimeInSeconds": 1, "endTimeInSeconds": 2}


@dataclass(frozen=True)
class ControlPlane:
    """A deployed control plane, as far as metering goes."""

    system: System
    outputs: dict[str, str]
    functions: dict[str, str]

    def call(self, method: str, path: str, body: Any = None, *, token: str) -> requests.Response:
        api = self.outputs["controlPlaneAPIEndpoint"].split("/")[2].split(".")[0]
        address = f"{self.system.emulator.url}/_aws/execute-api/{api}/$default/{path}"
        headers = {"Authorization": f"Bearer {token}"}
        return requests.request(method, address, json=body, headers=headers, timeout=60)

    def admin_token(self) -> str:
        cognito, pool = self.system.client("cognito-idp"), self.outputs["ControlPlaneIdpUserPoolId"]
        name = f"admin-{uuid.uuid4()}"
        email = {"Name": "email", "Value": f"{name}@example.com"}
        cognito.admin_create_user(UserPoolId=pool, Username=name, UserAttributes=[email], MessageAction="SUPPRESS")
        cognito.admin_set_user_password(UserPoolId=pool, Username=name, Password=PASSWORD, Permanent=True)
        given = {"USERNAME": name, "PASSWORD": PASSWORD}
        signed_in = cognito.initiate_auth(
            ClientId=self.outputs["ControlPlaneIdpClientId"], AuthFlow="USER_PASSWORD_AUTH", AuthParameters=given
        )
        return str(signed_in["AuthenticationResult"]["AccessToken"])

    def put_event(self, source: str, kind: str, detail: Any) -> None:
        entry = {
            "EventBusName": self.outputs["eventBridgeArn"],
            "Source": source,
            "DetailType": kind,
            "Detail": json.dumps(detail),
        }
        assert self.system.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    def hand_over(self, function: str, event: Any) -> Any:
        """What EventBridge's target does, with the answer that it does not wait for."""
        answer = self.system.client("lambda").invoke(
            FunctionName=self.functions[function], Payload=json.dumps(event).encode()
        )
        return answer.get("FunctionError"), json.loads(answer["Payload"].read())


@pytest.fixture(scope="module")
def deployed(shared_system: System, sbt: Sbt) -> Iterator[ControlPlane]:
    settings = {"amberflo_base_url": shared_system.amberflo_url}
    found = sbt.synthesise("deployed", local=True, metering=settings)
    template = of_metering(found.template, "AmberfloMetering")
    (found.assembly / f"{STACK}.template.json").write_text(json.dumps(template))
    _leave_out_other_assets(found.assembly / f"{STACK}.assets.json", json.dumps(template))
    outputs = deploy(shared_system.emulator, found.assembly, STACK)
    cloudformation = shared_system.client("cloudformation")
    resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    names = {
        one["LogicalResourceId"].removeprefix("AmberfloMeteringFunctions")[:-8]: one["PhysicalResourceId"]
        for one in resources
        if one["ResourceType"] == "AWS::Lambda::Function"
    }
    yield ControlPlane(shared_system, outputs, names)
    cloudformation.delete_stack(StackName=STACK)


def _leave_out_other_assets(manifest: Path, template: str) -> None:
    """Only what the template names, and the template itself."""
    assets = json.loads(manifest.read_text())
    assets["files"] = {
        name: one
        for name, one in assets["files"].items()
        if name in template or one["source"]["path"].endswith(".template.json")
    }
    manifest.write_text(json.dumps(assets))


@pytest.fixture
def plane(system: System, deployed: ControlPlane) -> ControlPlane:
    """The control plane, with an empty Amberflo behind it."""
    assert deployed.system is system
    return deployed


def _event(kind: str, detail: Any) -> dict[str, Any]:
    """EventBridge's envelope, whole."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": kind,
        "source": "controlPlaneEventSource",
        "account": "000000000000",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "region": "us-east-1",
        "resources": [],
        "detail": detail,
    }


def test_every_route_of_the_control_plane_runs_its_workflow(plane: ControlPlane) -> None:
    token = plane.admin_token()
    created = plane.call("POST", "meters", METER, token=token)
    assert created.status_code == 201
    meter = created.json()["data"]["id"]
    calls = [
        ("GET", "meters", None),
        ("GET", f"meters/{meter}", None),
        ("PUT", f"meters/{meter}", {"label": "Calls"}),
        ("GET", f"usage/{meter}", None),
        ("DELETE", "usage", {"id": "rule", "meterApiName": "api-calls", "ingestionTimeRange": WINDOW}),
        ("DELETE", f"meters/{meter}", None),
    ]
    for method, path, body in calls:
        answer = plane.call(method, path, body, token=token)
        assert (answer.status_code, "x-execution-arn" in answer.headers) == (200, True), (method, path, answer.text)
    assert plane.call("GET", "meters", token="").status_code == 401


def test_usage_on_its_bus_is_counted_through_its_own_rule(plane: ControlPlane) -> None:
    tenant = f"tenant-{uuid.uuid4()}"
    usage = {"tenantId": tenant, "meterApiName": "api-calls", "meterValue": 7}
    plane.put_event("applicationPlaneEventSource", "ingestUsage", usage)
    assert soon(lambda: sandbox_of(plane.system).totals("api-calls") == {tenant: 7})


def test_a_tenant_comes_and_goes_through_its_own_rules(plane: ControlPlane) -> None:
    tenant = f"tenant-{uuid.uuid4()}"
    sandbox = sandbox_of(plane.system)
    onboarding = {"tenantId": tenant, "tenantData": {"tenantName": "Acme", "email": "a@example.com", "tier": "basic"}}
    plane.put_event("controlPlaneEventSource", "onboardingRequest", onboarding)
    assert soon(lambda: tenant in sandbox.customers())
    assert sandbox.customers()[tenant]["customerName"] == "Acme"
    plane.put_event("controlPlaneEventSource", "offboardingRequest", {"tenantId": tenant})
    assert soon(lambda: sandbox.customers()[tenant]["lifecycleStage"] == "OFFBOARDED")


def test_usage_that_is_handed_over_twice_counts_once_whatever_is_in_it(plane: ControlPlane) -> None:
    tenant = f"tenant-\U0001f600-{uuid.uuid4()}"
    usage = {"tenantId": tenant, "meterApiName": "api-calls", "meterValue": 3, "region": "\x01\uffff"}
    event = _event("ingestUsage", usage)
    for _ in range(2):
        assert plane.hand_over("UsageEvent", event) == (None, None)
    assert soon(lambda: sandbox_of(plane.system).totals("api-calls") == {tenant: 3})
    assert soon(lambda: _waiting(plane) == 0)
    assert sandbox_of(plane.system).totals("api-calls") == {tenant: 3}


def _waiting(plane: ControlPlane) -> int:
    queues = plane.system.client("sqs")
    (url,) = [url for url in queues.list_queues()["QueueUrls"] if f"/{STACK}-AmberfloMeteringIngestUsage" in url]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = queues.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


@pytest.mark.parametrize(
    ("function", "stage"), [("CreateCustomerEvent", "ONBOARDING"), ("DeleteCustomerEvent", "OFFBOARDED")]
)
def test_a_tenant_event_that_is_handed_over_twice_is_one_execution(
    plane: ControlPlane, function: str, stage: str
) -> None:
    tenant = f"tenant-{uuid.uuid4()}"
    event = _event("whateverTheTriggerIs", {"tenantId": tenant})
    for _ in range(2):
        assert plane.hand_over(function, event) == (None, None)
        assert soon(lambda: sandbox_of(plane.system).customers().get(tenant, {}).get("lifecycleStage") == stage)
    named = [arn for arn in _executions(plane, function) if arn.endswith(event["id"])]
    assert len(named) == 1


def _executions(plane: ControlPlane, function: str) -> list[str]:
    workflow = function.removesuffix("Event")
    client = plane.system.client("stepfunctions")
    (machine,) = [
        one["stateMachineArn"]
        for one in client.list_state_machines()["stateMachines"]
        if f"{STACK}-AmberfloMeteringWorkflows{workflow}" in one["name"]
    ]
    return [one["executionArn"] for one in client.list_executions(stateMachineArn=machine)["executions"]]


def test_an_event_without_a_usable_id_is_dealt_with_too(plane: ControlPlane) -> None:
    tenant = f"tenant-{uuid.uuid4()}"
    event = {**_event("onboardingRequest", {"tenantId": tenant}), "id": "not a name/of an execution"}
    assert plane.hand_over("CreateCustomerEvent", event) == (None, None)
    assert soon(lambda: tenant in sandbox_of(plane.system).customers())
