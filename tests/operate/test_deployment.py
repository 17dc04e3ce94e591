"""A stack on AWS as it is found by its outputs; here they are the only thing that is made up."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amberflo_workflows.local.system import System
from tests.cli.metering import Metering

pytestmark = pytest.mark.emulator

Tell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def meters_of_a_stack_with(system: System, tmp_path: Path) -> Iterator[Tell]:
    """``metering meters list`` for a stack that has these outputs, where AWS's services have an address each."""
    cloudformation = system.client("cloudformation")

    def tell(**outputs: str) -> "subprocess.CompletedProcess[str]":
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
        command = metering.command("--stack", "ByOutputs", "meters", "list", "--json")
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    yield tell
    cloudformation.delete_stack(StackName="ByOutputs")


def test_the_api_and_the_token_are_where_the_outputs_say(system: System, meters_of_a_stack_with: Tell) -> None:
    done = meters_of_a_stack_with(
        ControlPlaneApiEndpoint=system.api_endpoint,
        TokenEndpoint=f"{system.emulator.url}/oauth2/token",
        UserPoolId=system.outputs["UserPoolId"],
        UserPoolClientId=system.outputs["UserPoolClientId"],
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done


def test_a_stack_without_an_api_is_said(meters_of_a_stack_with: Tell) -> None:
    done = meters_of_a_stack_with()
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done
    assert "Stack ByOutputs has no API of its own (no output ControlPlaneApiEndpoint)" in done.stderr


def test_a_stack_with_another_issuer_needs_a_token_of_that(system: System, meters_of_a_stack_with: Tell) -> None:
    done = meters_of_a_stack_with(ControlPlaneApiEndpoint=system.api_endpoint)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done
    assert "Set ACCESS_TOKEN to a token of its issuer" in done.stderr
