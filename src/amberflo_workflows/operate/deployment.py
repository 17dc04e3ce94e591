"""Where the product is deployed: the local system, or a stack on AWS. What operators' commands work on."""

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from amberflo_workflows.operate.errors import OperatorError


class Deployment(Protocol):
    """A deployed stack: its outputs, and clients of the services that it is made of."""

    @property
    def stack(self) -> str:
        """The name of the stack."""

    @property
    def outputs(self) -> Mapping[str, str]:
        """The outputs of the stack."""

    @property
    def state_machine_arns(self) -> dict[str, str]:
        """ARN of each workflow by its name."""

    @property
    def api_endpoint(self) -> str:
        """The HTTP API's address, with a slash at its end."""

    @property
    def access_token(self) -> str:
        """A bearer token for the HTTP API."""

    def client(self, service: str) -> Any:
        """A boto3 client of a service."""


@dataclass(frozen=True)
class AwsDeployment:
    """A stack on AWS, found by its name with the caller's own credentials.

    Everything raises :class:`OperatorError` when the stack cannot be read.
    """

    stack: str
    profile: str | None = None
    region: str | None = None
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The outputs of the stack."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slow to import

        try:
            found = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"][0]
        except (BotoCoreError, ClientError) as error:
            raise OperatorError(f"The stack {self.stack} cannot be read: {error}") from None
        outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
        if "RejectedTableName" not in outputs:
            raise OperatorError(f"The stack {self.stack} is not one of this product; name another with --stack.")
        return outputs

    @property
    def state_machine_arns(self) -> dict[str, str]:
        """ARN of each workflow by its name."""
        arns: dict[str, str] = json.loads(self.outputs["StateMachineArns"])
        return arns

    @property
    def api_endpoint(self) -> str:
        """The HTTP API's address, with a slash at its end."""
        emulator = _emulator_url()
        if emulator:
            return f"{emulator}/_aws/execute-api/{self._output('HttpApiId')}/$default/"
        return self._output("ControlPlaneApiEndpoint")

    @property
    def access_token(self) -> str:
        """A bearer token: ``ACCESS_TOKEN`` of the environment, else a fresh one of the stack's own machine client."""
        given = os.environ.get("ACCESS_TOKEN")
        if given:
            return given
        from amberflo_workflows.operate.api_client import request_token  # noqa: PLC0415 - imports requests

        pool, client_id = self._output("UserPoolId"), self._output("UserPoolClientId")
        described = self.client("cognito-idp").describe_user_pool_client(UserPoolId=pool, ClientId=client_id)
        emulator = _emulator_url()
        endpoint = f"{emulator}/oauth2/token" if emulator else self._output("TokenEndpoint")
        return request_token(endpoint, client_id, described["UserPoolClient"]["ClientSecret"])

    @property
    def command(self) -> str:
        """How the command line is called for it."""
        options = {"--stack": self.stack, "--profile": self.profile, "--region": self.region}
        given = [word for option, value in options.items() if value for word in (option, value)]
        return shlex.join(["metering", *given])

    def _output(self, name: str) -> str:
        if name in self.outputs:
            return self.outputs[name]
        if name.startswith("UserPool"):
            raise OperatorError(f"The stack {self.stack} gives no tokens; put one of its issuer into ACCESS_TOKEN.")
        raise OperatorError(
            f"The stack {self.stack} has no API of its own (no output {name}); name another with --stack."
        )

    def client(self, service: str) -> Any:
        """A boto3 client of a service."""
        if service not in self._clients:
            import boto3  # noqa: PLC0415 - slow to import
            from botocore.config import Config  # noqa: PLC0415 - as above
            from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - as above

            try:
                make: Any = boto3.Session(profile_name=self.profile, region_name=self.region).client
                # Workflows answer late, and are not to be started a second time.
                self._clients[service] = make(
                    service, config=Config(read_timeout=300, retries={"mode": "standard", "total_max_attempts": 1})
                )
            except (BotoCoreError, ValueError) as error:
                raise OperatorError(f"AWS cannot be called: {error}") from None
        return self._clients[service]


def _emulator_url() -> str:
    """An emulator that stands in for AWS: it answers at its own address what AWS answers at hosts of their own."""
    return os.environ.get("AWS_ENDPOINT_URL", "").rstrip("/")
