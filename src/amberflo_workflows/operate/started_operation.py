"""Operations that the API starts and does not wait for: start one, follow it, and read its result."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError

POLL_SECONDS: Final = 1.0


class MapProgress(NamedTuple):
    """Items of a distributed map that are done, of their total. It is unknown until the map has started."""

    done: int
    total: int | None


@dataclass(frozen=True)
class StartedOperation:
    """An operation that was started at ``path``, such as ``replays``.

    Methods raise :class:`~amberflo_workflows.operate.api_client.ApiError` and :class:`OperatorError`.
    """

    client: ApiClient
    deployment: Deployment
    workflow: str
    path: str
    id: str

    @classmethod
    def start(
        cls, client: ApiClient, deployment: Deployment, workflow: str, path: str, request: Mapping[str, Any]
    ) -> "StartedOperation":
        """Start an operation."""
        return cls(client, deployment, workflow, path, client.call("POST", path, body=request)["data"]["id"])

    @property
    def arn(self) -> str:
        """The ARN of its execution, whose name is the id."""
        machine = self.deployment.state_machine_arns[self.workflow]
        return f"{machine.replace(':stateMachine:', ':execution:')}:{self.id}"

    def follow(self) -> Iterator[MapProgress]:
        """Yield the progress until the operation ends."""
        while self._read_status()["status"] == "running":
            yield self._read_progress()
            time.sleep(POLL_SECONDS)

    def wait(self) -> dict[str, Any]:
        """Return the result when there is one. Raises :class:`OperatorError` if the operation failed."""
        while self._read_status()["status"] == "running":
            time.sleep(POLL_SECONDS)
        return self.read_result()

    def read_result(self) -> dict[str, Any]:
        """Return the result of an operation that has ended. Raises :class:`OperatorError` if it failed."""
        status = self._read_status()
        if status["status"] != "succeeded":
            raise OperatorError(
                f"{self.workflow} failed ({status.get('error') or 'stopped'}).",
                see=f"executions show {self.arn}",
                program=self.client.command,
            )
        result: dict[str, Any] = status["result"]
        return result

    def _read_status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.client.call("GET", self.path, self.id)["data"]
        return status

    def _read_progress(self) -> MapProgress:
        client = self.deployment.client("stepfunctions")
        done, total = 0, None
        for run in client.get_paginator("list_map_runs").paginate(executionArn=self.arn).search("mapRuns[]"):
            counts = client.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]
            done, total = done + counts["succeeded"] + counts["failed"], (total or 0) + counts["total"]
        return MapProgress(done, total)
