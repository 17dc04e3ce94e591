"""The functions behind SBT's own routes and rules, deployed on the emulator with those routes and rules."""

import json
import shutil
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
from tests.infra.sbt.conftest import AMBERFLO_URL, SbtEnvironment
from tests.infra.sbt.parts import select_metering
from tests.polling import wait_until

pytestmark = [pytest.mark.long, pytest.mark.emulator]

STACK = "MyStack"
PASSWORD = "Correct-horse-battery-1"
METER = {"label": "API calls", "meterApiName": "api-calls", "meterType": "sum_of_all_usage"}
WINDOW = {"startTimeInSeconds": 1, "endTimeInSeconds": 2}


@dataclass(frozen=True)
class DeployedControlPlane:
    """The part of a deployed control plane that metering uses."""

    system: System
    outputs: dict[str, str]
    functions: dict[str, str]

    def call(self, method: str, path: str, body: Any = None, *, token: str) -> requests.Response:
        api = self.outputs["controlPlaneAPIEndpoint"].split("/")[2].split(".")[0]
        address = f"{self.system.emulator.url}/_aws/execute-api/{api}/$default/{path}"
        headers = {"Authorization": f"Bearer {token}"}
        return requests.request(method, address, json=body, headers=headers, timeout=60)

    def fetch_admin_token(self) -> str:
        cognito, pool = self.system.client("cognito-idp"), self.outputs["ControlPlaneIdpUserPoolId"]
        name = f"admin-{uuid.uuid4()}"
        email = {"Name": "email", "Value": f"{name}@example.com"}
        cognito.admin_create_user(UserPoolId=pool, Username=name, UserAttributes=[email], MessageAction="SUPPRESS")
        cognito.admin_set_user_password(UserPoolId=pool, Username=name, Password=PASSWORD, Permanent=True)
        parameters = {"USERNAME": name, "PASSWORD": PASSWORD}
        signed_in = cognito.initiate_auth(
            ClientId=self.outputs["ControlPlaneIdpClientId"], AuthFlow="USER_PASSWORD_AUTH", AuthParameters=parameters
        )
        return str(signed_in["AuthenticationResult"]["AccessToken"])

    def put_event(self, source: str, detail_type: str, detail: Any) -> None:
        entry = {
            "EventBusName": self.outputs["eventBridgeArn"],
            "Source": source,
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
        }
        assert self.system.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    def invoke(self, function: str, event: Any) -> Any:
        """Invoke a function like a target of EventBridge, but synchronously. Returns its error and its response."""
        response = self.system.client("lambda").invoke(
            FunctionName=self.functions[function], Payload=json.dumps(event).encode()
        )
        return response.get("FunctionError"), json.loads(response["Payload"].read())


@pytest.fixture(scope="module")
def deployed(
    shared_system: System, sbt: SbtEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DeployedControlPlane]:
    assembly = sbt.read_assembly("deployed")
    # The other test processes have the same assembly.
    folder = shutil.copytree(assembly.folder, tmp_path_factory.mktemp("deployed") / "assembly")
    template = json.dumps(select_metering(assembly.template, "AmberfloMetering"))
    assert AMBERFLO_URL in template
    template = template.replace(AMBERFLO_URL, shared_system.amberflo_url)
    (folder / f"{STACK}.template.json").write_text(template)
    _remove_other_assets(folder / f"{STACK}.assets.json", template)
    outputs = deploy(shared_system.emulator, folder, STACK)
    cloudformation = shared_system.client("cloudformation")
    resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    names = {
        resource["LogicalResourceId"].removeprefix("AmberfloMeteringFunctions")[:-8]: resource["PhysicalResourceId"]
        for resource in resources
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }
    yield DeployedControlPlane(shared_system, outputs, names)
    cloudformation.delete_stack(StackName=STACK)


def _remove_other_assets(manifest: Path, template: str) -> None:
    """Keep only the assets that the template refers to, and the template itself."""
    assets = json.loads(manifest.read_text())
    assets["files"] = {
        name: asset
        for name, asset in assets["files"].items()
        if name in template or asset["source"]["path"].endswith(".template.json")
    }
    manifest.write_text(json.dumps(assets))


@pytest.fixture
def plane(system: System, deployed: DeployedControlPlane) -> DeployedControlPlane:
    """The control plane with an empty sandbox."""
    assert deployed.system is system
    return deployed


def _build_event(detail_type: str, detail: Any) -> dict[str, Any]:
    """Build a complete event of EventBridge."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": "controlPlaneEventSource",
        "account": "000000000000",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "region": "us-east-1",
        "resources": [],
        "detail": detail,
    }


def test_every_route_of_the_control_plane_runs_its_workflow(plane: DeployedControlPlane) -> None:
    token = plane.fetch_admin_token()
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
        response = plane.call(method, path, body, token=token)
        assert response.status_code == 200, (method, path, response.text)
        assert "x-execution-arn" in response.headers
    assert plane.call("GET", "meters", token="").status_code == 401


@pytest.mark.meters("api-calls")
def test_its_own_rule_forwards_usage_events(plane: DeployedControlPlane) -> None:
    tenant = f"tenant-{uuid.uuid4()}"
    usage = {"tenantId": tenant, "meterApiName": "api-calls", "meterValue": 7}
    plane.put_event("applicationPlaneEventSource", "ingestUsage", usage)
    assert wait_until(lambda: sandbox_of(plane.system).totals("api-calls") == {tenant: 7})


def test_its_own_rules_forward_tenant_events(plane: DeployedControlPlane) -> None:
    tenant = f"tenant-{uuid.uuid4()}"
    sandbox = sandbox_of(plane.system)
    onboarding = {"tenantId": tenant, "tenantData": {"tenantName": "Acme", "email": "a@example.com", "tier": "basic"}}
    plane.put_event("controlPlaneEventSource", "onboardingRequest", onboarding)
    assert wait_until(lambda: tenant in sandbox.customers())
    assert sandbox.customers()[tenant]["customerName"] == "Acme"
    plane.put_event("controlPlaneEventSource", "offboardingRequest", {"tenantId": tenant})
    assert wait_until(lambda: sandbox.customers()[tenant]["lifecycleStage"] == "OFFBOARDED")


@pytest.mark.meters("api-calls")
def test_a_usage_event_that_is_delivered_twice_counts_once(plane: DeployedControlPlane) -> None:
    tenant = f"tenant-\U0001f600-{uuid.uuid4()}"
    usage = {"tenantId": tenant, "meterApiName": "api-calls", "meterValue": 3, "region": "\x01\uffff"}
    event = _build_event("ingestUsage", usage)
    for _ in range(2):
        assert plane.invoke("UsageEvent", event) == (None, None)
    assert wait_until(lambda: sandbox_of(plane.system).totals("api-calls") == {tenant: 3})
    assert wait_until(lambda: _count_messages(plane) == 0)
    assert sandbox_of(plane.system).totals("api-calls") == {tenant: 3}


def _count_messages(plane: DeployedControlPlane) -> int:
    """Count the messages in the usage queue, including those in flight."""
    queues = plane.system.client("sqs")
    (url,) = [url for url in queues.list_queues()["QueueUrls"] if f"/{STACK}-AmberfloMeteringIngestUsage" in url]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = queues.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


@pytest.mark.parametrize(
    ("function", "stage"), [("CreateCustomerEvent", "ONBOARDING"), ("DeleteCustomerEvent", "OFFBOARDED")]
)
def test_a_tenant_event_that_is_delivered_twice_starts_one_execution(
    plane: DeployedControlPlane, function: str, stage: str
) -> None:
    tenant = f"tenant-{uuid.uuid4()}"
    event = _build_event("anyDetailType", {"tenantId": tenant})
    for _ in range(2):
        assert plane.invoke(function, event) == (None, None)
        assert wait_until(lambda: sandbox_of(plane.system).customers().get(tenant, {}).get("lifecycleStage") == stage)
    arns = [arn for arn in _list_executions(plane, function) if arn.endswith(event["id"])]
    assert len(arns) == 1


def test_a_replayed_tenant_event_runs_again_only_if_it_failed(plane: DeployedControlPlane) -> None:
    tenant, event_id = f"tenant-{uuid.uuid4()}", str(uuid.uuid4())
    event = {**_build_event("onboardingRequest", {"tenantId": tenant}), "id": event_id}
    sandbox_of(plane.system).set_faults([{"kind": "status", "status": 503, "path": "/customers/*"}])
    for number in (1, 2):
        assert plane.invoke("CreateCustomerEvent", event) == (None, None)
        assert wait_until(lambda number=number: _statuses(plane, event_id) == ["FAILED"] * number)  # type: ignore[misc]
    sandbox_of(plane.system).clear_faults()
    for _ in range(2):
        assert plane.invoke("CreateCustomerEvent", event) == (None, None)
        assert wait_until(lambda: _statuses(plane, event_id) == ["FAILED", "FAILED", "SUCCEEDED"])
    assert tenant in sandbox_of(plane.system).customers()


def _statuses(plane: DeployedControlPlane, event_id: str) -> list[str]:
    """The sorted statuses of the event's executions."""
    client = plane.system.client("stepfunctions")
    arns = [arn for arn in _list_executions(plane, "CreateCustomerEvent") if event_id in arn]
    return sorted(client.describe_execution(executionArn=arn)["status"] for arn in arns)


def _list_executions(plane: DeployedControlPlane, function: str) -> list[str]:
    workflow = function.removesuffix("Event")
    client = plane.system.client("stepfunctions")
    (arn,) = [
        machine["stateMachineArn"]
        for machine in client.list_state_machines()["stateMachines"]
        if f"{STACK}-AmberfloMeteringWorkflows{workflow}" in machine["name"]
    ]
    executions = client.list_executions(stateMachineArn=arn)["executions"]
    return [execution["executionArn"] for execution in executions]


def test_processes_an_event_whose_id_cannot_be_an_execution_name(plane: DeployedControlPlane) -> None:
    tenant = f"tenant-{uuid.uuid4()}"
    event = {**_build_event("onboardingRequest", {"tenantId": tenant}), "id": "invalid as the name/of an execution"}
    assert plane.invoke("CreateCustomerEvent", event) == (None, None)
    assert wait_until(lambda: tenant in sandbox_of(plane.system).customers())
