"""State that all pages share: the deployment, its executions, its API client."""

import time
from dataclasses import dataclass, field
from typing import Any, Final, cast

import requests
from starlette.requests import Request

from amberflo_workflows.console.meter_cache import MeterCache
from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.deployment import AwsDeployment, Deployment
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.ledger.latest_usage import LatestUsages
from amberflo_workflows.operate.ledger.reader import open_ledger
from amberflo_workflows.operate.loopback import loopback_session

# Access tokens expire after one hour.
_TOKEN_SECONDS: Final = 1800.0


@dataclass
class Console:
    """The console of one deployment."""

    deployment: Deployment
    token: str
    executions: Executions = field(init=False)
    meters: MeterCache = field(init=False)
    latest_usages: LatestUsages = field(init=False)
    _api: tuple[float, ApiClient] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.executions = Executions(self.deployment)
        self.latest_usages = LatestUsages(lambda: open_ledger(self.deployment))
        self.meters = MeterCache(lambda: list(self.api.list_meters()))

    @property
    def title(self) -> str:
        """The name of the system, shown in the page header."""
        deployment = self.deployment
        return f"{deployment.stack} on AWS" if isinstance(deployment, AwsDeployment) else "local system"

    @property
    def is_on_aws(self) -> bool:
        """Whether executions call the real Amberflo and AWS."""
        return isinstance(self.deployment, AwsDeployment)

    @property
    def command(self) -> str:
        """The command that runs the command line for this deployment."""
        deployment = self.deployment
        return deployment.command if isinstance(deployment, AwsDeployment) else "metering"

    @property
    def api(self) -> ApiClient:
        """A client of the deployment's HTTP API."""
        if self._api is None or time.monotonic() - self._api[0] > _TOKEN_SECONDS:
            deployment = self.deployment
            http = requests.Session() if isinstance(deployment, AwsDeployment) else loopback_session()
            self._api = (
                time.monotonic(),
                ApiClient(deployment.api_endpoint, deployment.access_token, http, self.command, started_by="console"),
            )
        return self._api[1]

    def get_meter(self, name_or_id: str) -> dict[str, Any]:
        """Return a meter by its name or id. Raises :class:`OperatorError`, also if it does not exist."""
        return self.meters.find(name_or_id) or self.api.get_meter(name_or_id)

    def client(self, service: str) -> Any:
        """A boto3 client for a service."""
        return self.deployment.client(service)


def get_console(request: Request) -> Console:
    """Return the console that serves a request."""
    return cast("Console", request.app.state.console)
