"""Upgrade a stack that holds usage: no resource with data is replaced, and all usage is counted."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.local.deploy import deploy
from amberflo_workflows.local.system import STACK, System
from tests.conftest import sandbox_of
from tests.polling import wait_until
from tests.runbook.sending import METER, build_usages, count_messages, expected_totals, send_usages

pytestmark = [pytest.mark.long, pytest.mark.system, pytest.mark.meters("api-calls")]

UPGRADED = "Upgraded"
OLDER = "Older release."
SNAPSHOT = Path(__file__).with_name("stateful_resources.json")
# Resource types that hold data or whose address others use, with the properties whose change replaces them.
REPLACED_FOR = {
    "AWS::SQS::Queue": ("QueueName", "FifoQueue"),
    "AWS::DynamoDB::Table": ("TableName", "KeySchema", "LocalSecondaryIndexes", "ImportSourceSpecification"),
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::Events::EventBus": ("Name",),
    "AWS::Cognito::UserPool": ("AliasAttributes", "UsernameAttributes", "UsernameConfiguration"),
    "AWS::Cognito::UserPoolClient": ("GenerateSecret", "UserPoolId"),
    "AWS::Cognito::UserPoolDomain": ("Domain", "UserPoolId"),
    "AWS::Cognito::UserPoolResourceServer": ("Identifier", "UserPoolId"),
    "AWS::ApiGatewayV2::Api": ("ProtocolType",),
    "AWS::ApiGatewayV2::Stage": ("StageName", "ApiId"),
    "AWS::StepFunctions::StateMachine": ("StateMachineName", "StateMachineType"),
}


def _stateful_resources(template: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {
            "Type": resource["Type"],
            "DeletionPolicy": resource.get("DeletionPolicy"),
            **{key: resource["Properties"].get(key) for key in REPLACED_FOR[resource["Type"]]},
        }
        for name, resource in sorted(template["Resources"].items())
        if resource["Type"] in REPLACED_FOR
    }


def test_no_resource_with_data_is_replaced(template: dict[str, Any]) -> None:
    # An upgrade would replace a resource that differs, and lose its data. Add new resources to the snapshot.
    assert _stateful_resources(template) == json.loads(SNAPSHOT.read_text())


@dataclass(frozen=True)
class Deployed:
    """Another stack on the emulator of the system."""

    system: System
    outputs: dict[str, str]

    @property
    def state_machine_arns(self) -> dict[str, str]:
        arns: dict[str, str] = json.loads(self.outputs["StateMachineArns"])
        return arns

    def client(self, service: str) -> Any:
        return self.system.client(service)

    def set_consumer(self, *, enabled: bool) -> None:
        """Enable or disable the consumer of the usage queue."""
        function = self.outputs["IngestQueueFunctionName"]
        (mapping,) = self.client("lambda").list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
        self.client("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)

    def rejected_tenants(self) -> list[str]:
        items = self.client("dynamodb").scan(TableName=self.outputs["RejectedTableName"])["Items"]
        return [item["tenantId"]["S"] for item in items]


def _write_current(system_folder: Path, folder: Path) -> Path:
    """Copy the assembly of the system for a stack with another name."""
    shutil.copytree(system_folder / "cdk.out", folder)
    for kind in ("template", "assets"):
        text = (folder / f"{STACK}.{kind}.json").read_text()
        # The bus is the only resource with the stack's name in its own.
        for name in (f"{STACK}.template.json", f"{STACK}Bus"):
            text = text.replace(name, name.replace(STACK, UPGRADED))
        (folder / f"{UPGRADED}.{kind}.json").write_text(text)
    return folder


def _write_older(current: Path, folder: Path) -> Path:
    """Write an older release: another bundle, other definitions, another setting of the functions, and no alarms."""
    shutil.copytree(current, folder)
    assets = json.loads((folder / f"{UPGRADED}.assets.json").read_text())
    (bundle,) = [key for key, file in assets["files"].items() if file["source"]["packaging"] == "zip"]
    older = bundle[::-1]
    (folder / assets["files"][bundle]["source"]["path"] / "older.txt").write_text("older")
    template = (folder / f"{UPGRADED}.template.json").read_text().replace(bundle, older)
    changed = json.loads(template)
    for name, resource in list(changed["Resources"].items()):
        if resource["Type"] == "AWS::StepFunctions::StateMachine":
            definition = resource["Properties"]["DefinitionString"]
            resource["Properties"]["DefinitionString"] = definition.replace('"Comment": "', f'"Comment": "{OLDER} ', 1)
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] = "WARNING"
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            del changed["Resources"][name]
    (folder / f"{UPGRADED}.template.json").write_text(json.dumps(changed))
    (folder / f"{UPGRADED}.assets.json").write_text(json.dumps(assets).replace(f"{bundle}.zip", f"{older}.zip"))
    return folder


@pytest.fixture
def releases(system: System, system_folder: Path, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    current = _write_current(system_folder, tmp_path / "current")
    yield _write_older(current, tmp_path / "older"), current
    system.client("cloudformation").delete_stack(StackName=UPGRADED)


def _release(deployed: Deployed) -> tuple[bool, str]:
    """Return whether a workflow has its older definition, and the log level of the queue function."""
    machine = deployed.client("stepfunctions").describe_state_machine(
        stateMachineArn=deployed.state_machine_arns["ingest_usage"]
    )
    function = deployed.client("lambda").get_function_configuration(
        FunctionName=deployed.outputs["IngestQueueFunctionName"]
    )
    return OLDER in machine["definition"], function["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"]


def test_an_upgrade_loses_no_queued_rejected_or_dead_usage_and_no_running_execution(
    system: System, releases: tuple[Path, Path]
) -> None:
    older, current = releases
    before = Deployed(system, deploy(system.emulator, older, UPGRADED))
    assert _release(before) == (True, "WARNING")
    send_usages(before, [{"tenantId": "rejected", "meterValue": 1}])
    assert wait_until(lambda: before.rejected_tenants() == ["rejected"])
    dead = {"id": "d", "detail-type": "ingestUsage", "detail": build_usages(1)[0]}
    before.client("sqs").send_message(QueueUrl=before.outputs["UsageDeadLetterQueueUrl"], MessageBody=json.dumps(dead))
    before.set_consumer(enabled=False)
    usages = build_usages(40)
    send_usages(before, usages)
    sandbox_of(system).set_faults([{"kind": "delay", "seconds": 4, "path": "/customers*"}])
    running = before.client("stepfunctions").start_execution(
        stateMachineArn=before.state_machine_arns["create_customer"],
        input=json.dumps({"id": "e", "detail-type": "onboardingRequest", "detail": {"tenantId": "onboarded"}}),
    )
    after = Deployed(system, deploy(system.emulator, current, UPGRADED))
    sandbox_of(system).clear_faults()
    assert after.outputs == before.outputs
    assert _release(after) == (False, "INFO")
    assert (count_messages(after), count_messages(after, "UsageDeadLetterQueueUrl"), after.rejected_tenants()) == (
        40,
        1,
        ["rejected"],
    )
    after.set_consumer(enabled=True)
    assert wait_until(lambda: count_messages(after) == 0, 180)
    assert sandbox_of(system).totals(METER) == expected_totals(usages)

    execution = {"executionArn": running["executionArn"]}
    assert wait_until(lambda: after.client("stepfunctions").describe_execution(**execution)["status"] != "RUNNING")
    # Unlike AWS, the emulator ends a running Lambda when its code changes. The event is not lost in either case.
    is_onboarded = "onboarded" in sandbox_of(system).customers()
    assert is_onboarded or count_messages(after, "TenantDeadLetterQueueUrl") == 1
