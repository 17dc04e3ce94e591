"""Deployments of the product, on which operators' commands work: the local system, or a stack on AWS."""

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from amberflo_workflows.operate.api_client import request_token
from amberflo_workflows.operate.errors import OperatorError


class Deployment(Protocol):
    """A deployed stack: its outputs, and clients of its services."""

    @property
    def stack(self) -> str:
        """The name of the stack."""

    @property
    def outputs(self) -> Mapping[str, str]:
        """The outputs of the stack."""

    @property
    def state_machine_arns(self) -> dict[str, str]:
        """The ARN of each workflow's state machine, by workflow."""

    @property
    def api_endpoint(self) -> str:
        """The address of the HTTP API; ends in a slash."""

    @property
    def access_token(self) -> str:
        """A bearer token for the HTTP API."""

    def client(self, service: str) -> Any:
        """Return a boto3 client of a service."""


@dataclass(frozen=True)
class AwsDeployment:
    """A stack on AWS, read with the caller's own credentials.

    Properties and methods raise :class:`OperatorError` if the stack cannot be read.
    """

    stack: str
    profile: str | None = None
    region: str | None = None
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The outputs of the stack."""
        try:
            stack = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"][0]
        except (BotoCoreError, ClientError) as error:
            raise OperatorError(f"Stack {self.stack} cannot be read: {error}") from None
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        if "RejectedTableName" not in outputs:
            raise OperatorError(f"Stack {self.stack} does not belong to this product. Name another stack with --stack.")
        return outputs

    @property
    def state_machine_arns(self) -> dict[str, str]:
        """The ARN of each workflow's state machine, by workflow."""
        arns: dict[str, str] = json.loads(self.outputs["StateMachineArns"])
        return arns

    @property
    def api_endpoint(self) -> str:
        """The address of the HTTP API; ends in a slash."""
        emulator = _get_emulator_url()
        if emulator:
            return f"{emulator}/_aws/execute-api/{self._get_output('HttpApiId')}/$default/"
        return self._get_output("ControlPlaneApiEndpoint")

    @property
    def access_token(self) -> str:
        """A bearer token: ``ACCESS_TOKEN`` of the environment, or else a new one of the stack's own machine client."""
        token = os.environ.get("ACCESS_TOKEN")
        if token:
            return token
        pool, client_id = self._get_output("UserPoolId"), self._get_output("UserPoolClientId")
        described = self.client("cognito-idp").describe_user_pool_client(UserPoolId=pool, ClientId=client_id)
        emulator = _get_emulator_url()
        endpoint = f"{emulator}/oauth2/token" if emulator else self._get_output("TokenEndpoint")
        return request_token(endpoint, client_id, described["UserPoolClient"]["ClientSecret"])

    @property
    def command(self) -> str:
        """The command line for this stack."""
        options = {"--stack": self.stack, "--profile": self.profile, "--region": self.region}
        words = [word for option, value in options.items() if value for word in (option, value)]
        return shlex.join(["metering", *words])

    def _get_output(self, name: str) -> str:
        if name in self.outputs:
            return self.outputs[name]
        if name.startswith("UserPool"):
            raise OperatorError(
                f"Stack {self.stack} issues no access tokens. Set ACCESS_TOKEN to a token of its issuer."
            )
        raise OperatorError(
            f"Stack {self.stack} has no API of its own (no output {name}). Name another stack with --stack."
        )

    def client(self, service: str) -> Any:
        """Return a boto3 client of a service."""
        if service not in self._clients:
            try:
                create_client: Any = boto3.Session(profile_name=self.profile, region_name=self.region).client
                # Workflows respond late, and a retry would start them a second time.
                self._clients[service] = create_client(
                    service, config=Config(read_timeout=300, retries={"mode": "standard", "total_max_attempts": 1})
                )
            except (BotoCoreError, ValueError) as error:
                raise OperatorError(f"AWS cannot be called: {error}") from None
        return self._clients[service]


def _get_emulator_url() -> str:
    """Return the address of an emulator used instead of AWS, empty without one.

    The emulator serves at this address what AWS serves at separate hosts.
    """
    return os.environ.get("AWS_ENDPOINT_URL", "").rstrip("/")
