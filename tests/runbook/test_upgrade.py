"""A stack that is deployed anew over one with usage in it: nothing that holds any is replaced, and all of it counts."""

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

pytestmark = pytest.mark.system

UPGRADED = "Upgraded"
SNAPSHOT = Path(__file__).with_name("stateful_resources.json")
# Of each kind of resource that holds something, or whose address others hold: what CloudFormation replaces it for.
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


def _stateful(template: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {
            "Type": resource["Type"],
            "DeletionPolicy": resource.get("DeletionPolicy"),
            **{key: resource["Properties"].get(key) for key in REPLACED_FOR[resource["Type"]]},
        }
        for name, resource in sorted(template["Resources"].items())
        if resource["Type"] in REPLACED_FOR
    }


def test_no_change_replaces_what_holds_something(template: dict[str, Any]) -> None:
    # What differs would be replaced by an upgrade, and what is in it left behind; what is new is to be added.
    assert _stateful(template) == json.loads(SNAPSHOT.read_text())


@dataclass(frozen=True)
class Deployed:
    """A stack of its own on the emulator of the system."""

    system: System
    outputs: dict[str, str]

    @property
    def state_machine_arns(self) -> dict[str, str]:
        arns: dict[str, str] = json.loads(self.outputs["StateMachineArns"])
        return arns

    def client(self, service: str) -> Any:
        return self.system.client(service)

    def consume(self, enabled: bool) -> None:
        """Switch the queue's consumer on or off."""
        function = self.outputs["IngestQueueFunctionName"]
        (mapping,) = self.client("lambda").list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
        self.client("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)

    def rejected(self) -> list[str]:
        items = self.client("dynamodb").scan(TableName=self.outputs["RejectedTableName"])["Items"]
        return [item["tenantId"]["S"] for item in items]


def _present(system_folder: Path, folder: Path) -> Path:
    """The assembly of the system, for a stack of another name."""
    shutil.copytree(system_folder / "cdk.out", folder)
    for kind in ("template", "assets"):
        text = (folder / f"{STACK}.{kind}.json").read_text()
        # The bus is the one resource that bears the stack's name.
        for named in (f"{STACK}.template.json", f"{STACK}Bus"):
            text = text.replace(named, named.replace(STACK, UPGRADED))
        (folder / f"{UPGRADED}.{kind}.json").write_text(text)
    return folder


def _older(present: Path, folder: Path) -> Path:
    """The release before: another bundle, other definitions, another setting of the functions, and no alarms."""
    shutil.copytree(present, folder)
    assets = json.loads((folder / f"{UPGRADED}.assets.json").read_text())
    (bundle,) = [key for key, file in assets["files"].items() if file["source"]["packaging"] == "zip"]
    older = bundle[::-1]
    (folder / assets["files"][bundle]["source"]["path"] / "older.txt").write_text("older")
    template = (folder / f"{UPGRADED}.template.json").read_text().replace(bundle, older)
    changed = json.loads(template.replace("Which version of the secret", "What older version of the secret"))
    for name, resource in list(changed["Resources"].items()):
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] = "WARNING"
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            del changed["Resources"][name]
    (folder / f"{UPGRADED}.template.json").write_text(json.dumps(changed))
    (folder / f"{UPGRADED}.assets.json").write_text(json.dumps(assets).replace(f"{bundle}.zip", f"{older}.zip"))
    return folder


@pytest.fixture
def releases(system: System, system_folder: Path, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    present = _present(system_folder, tmp_path / "present")
    yield _older(present, tmp_path / "older"), present
    system.client("cloudformation").delete_stack(StackName=UPGRADED)


def _described(deployed: Deployed) -> tuple[str, str]:
    """What is in force: a workflow's definition, and a setting of the queue function."""
    machine = deployed.client("stepfunctions").describe_state_machine(
        stateMachineArn=deployed.state_machine_arns["ingest_usage"]
    )
    function = deployed.client("lambda").get_function_configuration(
        FunctionName=deployed.outputs["IngestQueueFunctionName"]
    )
    return machine["definition"], function["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"]


def test_an_upgrade_keeps_queued_refused_and_dead_usage_and_loses_nothing_at_work(
    system: System, releases: tuple[Path, Path]
) -> None:
    older, present = releases
    before = Deployed(system, deploy(system.emulator, older, UPGRADED))
    send_usages(before, [{"tenantId": "refused", "meterValue": 1}])
    assert wait_until(lambda: before.rejected() == ["refused"], 60)
    dead = {"id": "d", "detail-type": "ingestUsage", "detail": build_usages(1)[0]}
    before.client("sqs").send_message(QueueUrl=before.outputs["UsageDeadLetterQueueUrl"], MessageBody=json.dumps(dead))
    before.consume(False)
    given = build_usages(40)
    send_usages(before, given)
    sandbox_of(system).set_faults([{"kind": "delay", "seconds": 4, "path": "/customers*"}])
    running = before.client("stepfunctions").start_execution(
        stateMachineArn=before.state_machine_arns["create_customer"],
        input=json.dumps({"id": "e", "detail-type": "onboardingRequest", "detail": {"tenantId": "onboarded"}}),
    )
    after = Deployed(system, deploy(system.emulator, present, UPGRADED))
    sandbox_of(system).clear_faults()
    assert after.outputs == before.outputs
    definition, level = _described(after)
    assert ("What older version" in definition, level) == (False, "INFO")
    assert (count_messages(after), count_messages(after, "UsageDeadLetterQueueUrl"), after.rejected()) == (
        40,
        1,
        ["refused"],
    )
    after.consume(True)
    assert wait_until(lambda: count_messages(after) == 0, 120)
    assert sandbox_of(system).totals(METER) == expected_totals(given)

    described = {"executionArn": running["executionArn"]}
    assert wait_until(lambda: after.client("stepfunctions").describe_execution(**described)["status"] != "RUNNING", 60)
    # The emulator ends a Lambda at work whose code is changed, which AWS does not; its event is not lost either way.
    done = "onboarded" in sandbox_of(system).customers()
    assert done or count_messages(after, "TenantDeadLetterQueueUrl") == 1
