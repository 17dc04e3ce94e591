"""The definitions as the tests look at them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"
FILES = sorted(WORKFLOWS.glob("*.asl.json"))


class State(NamedTuple):
    name: str
    body: dict[str, Any]


def definition(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def states(machine: dict[str, Any]) -> Iterator[State]:
    for name, state in machine["States"].items():
        yield State(name, state)
        if "ItemProcessor" in state:
            yield from states(state["ItemProcessor"])
        for branch in state.get("Branches", []):
            yield from states(branch)


def tasks(machine: dict[str, Any]) -> Iterator[State]:
    return (state for state in states(machine) if state.body["Type"] == "Task")


def longest_waits(retrier: dict[str, Any]) -> float:
    first, rate, cap = retrier["IntervalSeconds"], retrier["BackoffRate"], retrier["MaxDelaySeconds"]
    waits: list[float] = [min(first * rate**attempt, cap) for attempt in range(retrier["MaxAttempts"])]
    return sum(waits)


def worst_case(task: dict[str, Any]) -> float:
    limit: float = task["TimeoutSeconds"]
    cases: list[float] = [(r["MaxAttempts"] + 1) * limit + longest_waits(r) for r in task["Retry"]]
    return max(cases)
