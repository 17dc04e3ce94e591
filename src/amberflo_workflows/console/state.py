"""What every page asks: the deployment, its executions, its API."""

import time
from dataclasses import dataclass, field
from typing import Any, Final, cast

import requests
from starlette.requests import Request

from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.deployment import AwsDeployment, Deployment
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.loopback import LOOPBACK_SESSION

# Of the hour that a token is good for.
_TOKEN_SECONDS: Final = 1800.0


@dataclass
class Console:
    """One deployment, for as long as the console runs."""

    deployment: Deployment
    token: str
    executions: Executions = field(init=False)
    _api: tuple[float, ApiClient] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        """Find its workflows."""
        self.executions = Executions(self.deployment)

    @property
    def title(self) -> str:
        """Which system is looked at."""
        found = self.deployment
        return f"{found.stack} on AWS" if isinstance(found, AwsDeployment) else "local system"

    @property
    def is_on_aws(self) -> bool:
        """Whether what is started here really does something."""
        return isinstance(self.deployment, AwsDeployment)

    @property
    def command(self) -> str:
        """How the command line is called for it."""
        found = self.deployment
        return found.command if isinstance(found, AwsDeployment) else "metering"

    @property
    def api(self) -> ApiClient:
        """A client of its LOOPBACK_SESSION API."""
        if self._api is None or time.monotonic() - self._api[0] > _TOKEN_SECONDS:
            found = self.deployment
            http = requests.Session() if isinstance(found, AwsDeployment) else LOOPBACK_SESSION
            self._api = (
                time.monotonic(),
                ApiClient(found.api_endpoint, found.access_token, http, self.command),
            )
        return self._api[1]

    def client(self, service: str) -> Any:
        """A boto3 client of a service."""
        return self.deployment.client(service)


def get_console(request: Request) -> Console:
    """The console that serves a request."""
    return cast("Console", request.app.state.console)
