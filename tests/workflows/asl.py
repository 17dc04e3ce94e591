"""The workflow definitions, as the tests read them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"
THROTTLED = "Lambda.TooManyRequestsException"
FILES = sorted(WORKFLOWS.glob("*.asl.json"))


class State(NamedTuple):
    name: str
    body: dict[str, Any]


def workflow_name(path: Path) -> str:
    return path.name.removesuffix(".asl.json")


def load_workflow(path: Path) -> dict[str, Any]:
    machine: dict[str, Any] = json.loads(path.read_text())
    return machine


def iter_states(machine: dict[str, Any]) -> Iterator[State]:
    """The states, and those inside maps and parallels."""
    for name, state in machine["States"].items():
        yield State(name, state)
        if "ItemProcessor" in state:
            yield from iter_states(state["ItemProcessor"])
        for branch in state.get("Branches", []):
            yield from iter_states(branch)


def iter_tasks(machine: dict[str, Any]) -> Iterator[State]:
    return (state for state in iter_states(machine) if state.body["Type"] == "Task")


def with_fractions(machine: dict[str, Any]) -> dict[str, Any]:
    """Write percentages with a fraction, which moto's grammar requires. AWS takes both."""
    for _, state in iter_states(machine):
        if "ToleratedFailurePercentage" in state:
            state["ToleratedFailurePercentage"] = float(state["ToleratedFailurePercentage"])
    return machine


def max_wait_seconds(retrier: dict[str, Any]) -> float:
    """The longest time that all waits of a retrier take."""
    interval, rate, limit = retrier["IntervalSeconds"], retrier["BackoffRate"], retrier["MaxDelaySeconds"]
    waits: list[float] = [min(interval * rate**retry, limit) for retry in range(retrier["MaxAttempts"])]
    return sum(waits)


def max_seconds(task: dict[str, Any]) -> float:
    """The longest time that a task takes: each attempt times out, by the retrier that takes longest.

    An attempt that Lambda throttles ends at once, so only the last one takes time.
    """
    timeout: float = task["TimeoutSeconds"]
    totals: list[float] = []
    for retrier in task["Retry"]:
        attempts = 1 if retrier["ErrorEquals"] == [THROTTLED] else retrier["MaxAttempts"] + 1
        totals.append(attempts * timeout + max_wait_seconds(retrier))
    return max(totals)
