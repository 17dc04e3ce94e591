import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from amberflo_workflows.local.deploy import _wait_until_settled, deploy, put_secret
from amberflo_workflows.local.emulator import Emulator, running_emulator
from amberflo_workflows.operate.errors import OperatorError

pytestmark = pytest.mark.emulator

STACK = "Toy"
INVALID = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "http://127.0.0.1:1/no-template"}}
# The emulator can neither replace this resource nor restore it in a rollback.
NOT_REPLACEABLE = {
    "Type": "AWS::Lambda::EventSourceMapping",
    "Properties": {"FunctionName": "none", "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:none"},
}


@pytest.fixture(scope="module")
def own_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running_emulator(tmp_path_factory.mktemp("emulator")) as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def _no_stack(own_emulator: Emulator) -> None:
    cloudformation = own_emulator.client("cloudformation")
    cloudformation.delete_stack(StackName=STACK)
    _wait_until_settled(cloudformation, STACK)


def assembly(folder: Path, resources: dict[str, Any]) -> Path:
    """Write the files that CDK writes for one stack."""
    folder.mkdir(exist_ok=True)
    outputs = {"Name": {"Value": {"Ref": next(iter(resources))}}}
    text = json.dumps({"Resources": resources, "Outputs": outputs})
    (folder / f"{STACK}.template.json").write_text(text)
    destination = {
        "bucketName": "cdk-assets-${AWS::AccountId}-${AWS::Region}",
        "objectKey": f"{hashlib.sha256(text.encode()).hexdigest()}.json",
    }
    file = {
        "source": {"path": f"{STACK}.template.json", "packaging": "file"},
        "destinations": {"current_account-current_region": destination},
    }
    (folder / f"{STACK}.assets.json").write_text(json.dumps({"files": {"t": file}}))
    return folder


def queue(name: str) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}


def test_a_stack_is_created_and_updated(own_emulator: Emulator, tmp_path: Path) -> None:
    first = deploy(own_emulator, assembly(tmp_path, {"One": queue("one")}), STACK)
    assert first["Name"].endswith("/one")
    assert deploy(own_emulator, assembly(tmp_path, {"One": queue("one")}), STACK) == first
    both = {"One": queue("one"), "Two": queue("two")}
    assert deploy(own_emulator, assembly(tmp_path, both), STACK) == first
    urls = own_emulator.client("sqs").list_queues()["QueueUrls"]
    assert {url.rsplit("/", 1)[1] for url in urls} >= {"one", "two"}


def test_a_failure_names_the_resource_and_the_reason(own_emulator: Emulator, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"Invalid \(AWS::CloudFormation::Stack\): Failed to fetch"):
        deploy(own_emulator, assembly(tmp_path, {"Invalid": INVALID}), STACK)


def test_a_stack_whose_rollback_failed_can_be_deployed_again(own_emulator: Emulator, tmp_path: Path) -> None:
    deploy(own_emulator, assembly(tmp_path, {"Invalid": NOT_REPLACEABLE}), STACK)
    with pytest.raises(OperatorError, match="ROLLBACK_FAILED"):
        deploy(own_emulator, assembly(tmp_path, {"Invalid": INVALID}), STACK)
    assert deploy(own_emulator, assembly(tmp_path, {"Three": queue("three")}), STACK)["Name"].endswith("/three")


def test_a_secret_is_created_and_replaced(own_emulator: Emulator) -> None:
    for key in ("first", "second"):
        put_secret(own_emulator, "Key", {"apiKey": key})
        secret = own_emulator.client("secretsmanager").get_secret_value(SecretId="Key")["SecretString"]
        assert json.loads(secret) == {"apiKey": key}
