"""The table of operations, and the functions and resources that their ASL files refer to."""

import json
import re
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

WORKFLOWS: Final = Path(__file__).resolve().parent.with_name("workflows")
# The index of the rejected table by status and time, which the operator's library reads.
STATUS_INDEX: Final = "ByStatus"
_TOKEN: Final = re.compile(r"\$\{(\w+)\}")
_FUNCTION_TOKEN: Final = re.compile(r"\$\{(\w+)FunctionArn\}")


class OperationKind(Enum):
    """What starts a workflow: an HTTP call, usage (from the queue or over HTTP), a file, or a tenant event.

    A ``LEDGER`` workflow is started by an HTTP call that does not wait for it, or by a schedule.
    """

    SYNCHRONOUS = "synchronous"
    INGEST = "ingest"
    BACKFILL = "backfill"
    TENANT = "tenant"
    LEDGER = "ledger"


class Route(NamedTuple):
    """An HTTP method and a path."""

    method: str
    path: str


@dataclass(frozen=True)
class Operation:
    """A workflow, and the HTTP route or the detail types of the events that start it, if any.

    ``status_route`` is that by which a caller who does not wait for the workflow learns of its outcome.
    """

    name: str
    kind: OperationKind
    route: Route | None = None
    detail_types: tuple[str, ...] = ()
    status_route: Route | None = None

    @cached_property
    def definition(self) -> str:
        """The text of the ASL file, with ``${Token}`` where a value is substituted."""
        return (WORKFLOWS / f"{self.name}.asl.json").read_text()

    @property
    def pascal_name(self) -> str:
        """The name in Pascal case: ``CreateMeter``."""
        return to_pascal_case(self.name)

    @property
    def routes(self) -> dict[str, Route]:
        """The HTTP routes, by names in Pascal case."""
        routes = {self.pascal_name: self.route, f"{self.pascal_name}Status": self.status_route}
        return {name: route for name, route in routes.items() if route}

    @property
    def tokens(self) -> frozenset[str]:
        """The names of the tokens in the definition."""
        return frozenset(_TOKEN.findall(self.definition))

    @property
    def tasks(self) -> frozenset[str]:
        """The names of the Lambdas that the definition invokes, in Pascal case."""
        return frozenset(_FUNCTION_TOKEN.findall(self.definition))


def to_pascal_case(name: str) -> str:
    """Convert ``create_meter`` to ``CreateMeter``."""
    return "".join(word.capitalize() for word in name.split("_"))


def to_snake_case(name: str) -> str:
    """Convert ``CreateMeter`` to ``create_meter``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


INGEST: Final = Route("POST", "/ingest")
RECORDS: Final = Route("GET", "/usage/{meterId}/records")
# The OpenAPI document, which starts no workflow.
DOCUMENT: Final = Route("GET", "/openapi.json")
OPERATIONS: Final = (
    Operation("create_meter", OperationKind.SYNCHRONOUS, Route("POST", "/meters")),
    Operation("list_meters", OperationKind.SYNCHRONOUS, Route("GET", "/meters")),
    Operation("get_meter", OperationKind.SYNCHRONOUS, Route("GET", "/meters/{meterId}")),
    Operation("update_meter", OperationKind.SYNCHRONOUS, Route("PUT", "/meters/{meterId}")),
    Operation("delete_meter", OperationKind.SYNCHRONOUS, Route("DELETE", "/meters/{meterId}")),
    Operation("list_customers", OperationKind.SYNCHRONOUS, Route("GET", "/customers")),
    Operation("get_customer", OperationKind.SYNCHRONOUS, Route("GET", "/customers/{customerId}")),
    Operation("list_usage", OperationKind.SYNCHRONOUS, Route("GET", "/usage")),
    Operation("fetch_usage", OperationKind.SYNCHRONOUS, Route("GET", "/usage/{meterId}")),
    Operation("list_records", OperationKind.SYNCHRONOUS, RECORDS),
    Operation("cancel_usage", OperationKind.SYNCHRONOUS, Route("DELETE", "/usage")),
    Operation("ingest_usage", OperationKind.INGEST, INGEST),
    Operation("backfill_usage", OperationKind.BACKFILL),
    Operation(
        "reconcile_usage",
        OperationKind.LEDGER,
        Route("POST", "/reconciliations"),
        status_route=Route("GET", "/reconciliations/{id}"),
    ),
    Operation(
        "replay_usage", OperationKind.LEDGER, Route("POST", "/replays"), status_route=Route("GET", "/replays/{id}")
    ),
    Operation(
        "close_period",
        OperationKind.LEDGER,
        Route("POST", "/periods"),
        status_route=Route("GET", "/periods/{id}"),
    ),
    # The event names of both generations of SBT.
    Operation("create_customer", OperationKind.TENANT, detail_types=("onboardingRequest", "sbt_aws_onboardingRequest")),
    Operation(
        "delete_customer", OperationKind.TENANT, detail_types=("offboardingRequest", "sbt_aws_offboardingRequest")
    ),
)


def list_routes() -> dict[str, Route]:
    """List the routes of all operations, by names in Pascal case."""
    return {name: route for operation in OPERATIONS for name, route in operation.routes.items()}


def find_task_timeout(task: str) -> int:
    """Find the longest ``TimeoutSeconds`` of the states that call a task. Its Lambda needs a longer timeout."""
    token = f"${{{task}FunctionArn}}"
    limits = [
        int(state["TimeoutSeconds"])
        for operation in OPERATIONS
        for state in _list_states(json.loads(operation.definition))
        if state.get("Resource") == token
    ]
    return max(limits)


def _list_states(machine: dict[str, Any]) -> list[dict[str, Any]]:
    states = []
    for state in machine["States"].values():
        states.append(state)
        if "ItemProcessor" in state:
            states += _list_states(state["ItemProcessor"])
    return states
