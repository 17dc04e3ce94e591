"""A stack on AWS, read by its outputs, which are the only invented part here."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amberflo_workflows.local.system import System
from tests.cli.forked import CommandResult, run_forked
from tests.cli.metering import Metering

pytestmark = pytest.mark.emulator

ListMeters = Callable[..., CommandResult]


@pytest.fixture
def list_meters(system: System, tmp_path: Path) -> Iterator[ListMeters]:
    """Run ``metering meters list`` for a stack with these outputs; AWS's services have separate addresses."""
    cloudformation = system.client("cloudformation")

    def list_meters_of_stack(**outputs: str) -> CommandResult:
        outputs["RejectedTableName"] = "rejected"
        template = {
            "Resources": {"Name": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}},
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
        cloudformation.create_stack(StackName="ByOutputs", TemplateBody=json.dumps(template))
        cloudformation.get_waiter("stack_create_complete").wait(StackName="ByOutputs", WaiterConfig={"Delay": 1})
        metering = Metering(system, tmp_path)
        environment = metering.environment
        url = environment.pop("AWS_ENDPOINT_URL")
        environment["AWS_ENDPOINT_URL_CLOUDFORMATION"] = url
        environment["AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"] = url
        return run_forked(["--stack", "ByOutputs", "meters", "list", "--json"], environment)

    yield list_meters_of_stack
    cloudformation.delete_stack(StackName="ByOutputs")


def test_the_outputs_have_the_addresses_of_api_and_token(system: System, list_meters: ListMeters) -> None:
    process = list_meters(
        ControlPlaneApiEndpoint=system.api_endpoint,
        TokenEndpoint=f"{system.emulator.url}/oauth2/token",
        UserPoolId=system.outputs["UserPoolId"],
        UserPoolClientId=system.outputs["UserPoolClientId"],
    )
    assert (process.returncode, process.stdout) == (0, "[]\n"), process


def test_a_stack_without_an_api_is_an_error(list_meters: ListMeters) -> None:
    process = list_meters()
    assert (process.returncode, process.stderr.count("\n")) == (1, 1), process
    assert "Stack ByOutputs has no API of its own (no output ControlPlaneApiEndpoint)" in process.stderr


def test_a_stack_with_another_issuer_needs_an_access_token(system: System, list_meters: ListMeters) -> None:
    process = list_meters(ControlPlaneApiEndpoint=system.api_endpoint)
    assert (process.returncode, process.stderr.count("\n")) == (1, 1), process
    assert "Set ACCESS_TOKEN to a token of its issuer" in process.stderr
