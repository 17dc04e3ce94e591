"""The table of operations, and what their ASL files ask of the infrastructure."""

import json
import re
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

WORKFLOWS: Final = Path(__file__).resolve().parent.with_name("workflows")
_TOKEN: Final = re.compile(r"\$\{(\w+)\}")
_FUNCTION_TOKEN: Final = re.compile(r"\$\{(\w+)FunctionArn\}")


class OperationKind(Enum):
    """Who waits for an execution: an HTTP caller, nobody but a queue, a person with a file, or nobody at all."""

    SYNCHRONOUS = "synchronous"
    INGEST = "ingest"
    BACKFILL = "backfill"
    TENANT = "tenant"


class Route(NamedTuple):
    """A method and a path."""

    method: str
    path: str


@dataclass(frozen=True)
class Operation:
    """A workflow, and the HTTP route or the events (by detail-type) that start it if there are any."""

    name: str
    kind: OperationKind
    route: Route | None = None
    detail_types: tuple[str, ...] = ()

    @cached_property
    def definition(self) -> str:
        """The text of the ASL file, with its ``${Token}``."""
        return (WORKFLOWS / f"{self.name}.asl.json").read_text()

    @property
    def pascal_name(self) -> str:
        """``create_meter`` as ``CreateMeter``."""
        return to_pascal_case(self.name)

    @property
    def tokens(self) -> frozenset[str]:
        """All that has to be put into the definition."""
        return frozenset(_TOKEN.findall(self.definition))

    @property
    def tasks(self) -> frozenset[str]:
        """The Lambdas that the definition calls, in Pascal case."""
        return frozenset(_FUNCTION_TOKEN.findall(self.definition))


def to_pascal_case(name: str) -> str:
    """``create_meter`` as ``CreateMeter``."""
    return "".join(word.capitalize() for word in name.split("_"))


def to_snake_case(name: str) -> str:
    """``CreateMeter`` as ``create_meter``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


INGEST: Final = Route("POST", "/ingest")
# What describes the others; it starts no workflow.
DOCUMENT: Final = Route("GET", "/openapi.json")
OPERATIONS: Final = (
    Operation("create_meter", OperationKind.SYNCHRONOUS, Route("POST", "/meters")),
    Operation("list_meters", OperationKind.SYNCHRONOUS, Route("GET", "/meters")),
    Operation("get_meter", OperationKind.SYNCHRONOUS, Route("GET", "/meters/{meterId}")),
    Operation("update_meter", OperationKind.SYNCHRONOUS, Route("PUT", "/meters/{meterId}")),
    Operation("delete_meter", OperationKind.SYNCHRONOUS, Route("DELETE", "/meters/{meterId}")),
    Operation("fetch_usage", OperationKind.SYNCHRONOUS, Route("GET", "/usage/{meterId}")),
    Operation("cancel_usage", OperationKind.SYNCHRONOUS, Route("DELETE", "/usage")),
    Operation("ingest_usage", OperationKind.INGEST, INGEST),
    Operation("backfill_usage", OperationKind.BACKFILL),
    # Both generations of SBT's names.
    Operation("create_customer", OperationKind.TENANT, detail_types=("onboardingRequest", "sbt_aws_onboardingRequest")),
    Operation(
        "delete_customer", OperationKind.TENANT, detail_types=("offboardingRequest", "sbt_aws_offboardingRequest")
    ),
)


def find_task_timeout(task: str) -> int:
    """The longest ``TimeoutSeconds`` of the states that call a task; its Lambda needs a little more."""
    token = f"${{{task}FunctionArn}}"
    limits = [
        int(state["TimeoutSeconds"])
        for operation in OPERATIONS
        for state in _list_states(json.loads(operation.definition))
        if state.get("Resource") == token
    ]
    return max(limits)


def _list_states(machine: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for state in machine["States"].values():
        found.append(state)
        if "ItemProcessor" in state:
            found += _list_states(state["ItemProcessor"])
    return found
