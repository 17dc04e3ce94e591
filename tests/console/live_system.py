"""Executions that nobody ran: of every outcome, larger and nastier than real ones."""

import json
from typing import Any

from amberflo_workflows.local.system import System
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.graph import Graph, build_graph
from amberflo_workflows.operate.executions.history import build_execution
from amberflo_workflows.operate.executions.model import Execution, LogLine
from tests.operate.executions.histories import FAILED, History

# A workflow that there is, so that it could be started again.
WORKFLOW = "list_meters"
HOSTILE = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
STATES = 500
ITEMS, BAD_ITEM = 10_000, 9_876


class Made(Executions):
    """Executions by their names, beside those of a system."""

    def __init__(self, system: System, made: dict[str, tuple[Execution, Graph]]) -> None:
        super().__init__(system)
        self._made = made

    def get(self, arn: str) -> Execution:
        return self._made[arn][0]

    def build_graph(self, execution: Execution) -> Graph:
        return self._made[execution.summary.arn][1]

    def log_lines_of(self, execution: Execution, *_: Any) -> list[LogLine]:
        return [LogLine(execution.summary.started, "r", "INFO", HOSTILE, json.dumps({"message": HOSTILE}))]


def executions(system: System) -> Made:
    """By name: ``nasty``, ``map``, ``long``, ``Aborted``, ``TimedOut``."""
    made = {"nasty": _nasty(), "map": _map(), "long": _long()}
    made |= {outcome: _ended(f"Execution{outcome}") for outcome in ("Aborted", "TimedOut")}
    return Made(system, {_arn(name): (_fold(_arn(name), *one), one[1]) for name, one in made.items()})


def _arn(name: str) -> str:
    return f"arn:aws:states:us-east-1:000000000000:execution:Machine:{name}"


def path_of(name: str) -> str:
    """Of its page."""
    return f"executions/{_arn(name)}"


def _fold(arn: str, history: History, graph: Graph) -> Execution:
    return build_execution(arn, WORKFLOW, history.events, graph)


def _graph(*names: str, **states: Any) -> Graph:
    """States one after the other; ``states`` are in place of those that do nothing."""
    following = [*names[1:], None]
    made = {
        name: {"Type": "Pass", **({"Next": after} if after else {"End": True}), **states.get(name, {})}
        for name, after in zip(names, following, strict=True)
    }
    return build_graph({"StartAt": names[0], "States": made})


def _passed(history: History, name: str, data: str) -> None:
    history.add("PassStateEntered", name=name, input=data)
    history.add("PassStateExited", name=name, output=data)


def nested(levels: int) -> Any:
    """An object in an object in an object."""
    value: Any = HOSTILE
    for level in range(levels):
        value = {f"level {level}": value}
    return value


def _nasty() -> tuple[History, Graph]:
    """Names that would be markup, a name of 80 characters, deep JSON, large JSON, and a number of many digits."""
    long_name = "N" * 80
    large = {"rows": [{"id": number, "text": "x" * 20} for number in range(4_000)], "long": "y" * 50_000}
    history = History()
    history.add("ExecutionStarted", input=f'{{"digits": 12345678901234567890.10, "{HOSTILE[:8]}": true}}')
    _passed(history, HOSTILE, json.dumps(nested(100)))
    _passed(history, long_name, json.dumps(large))
    history.add("FailStateEntered", name="Fail", input="no JSON " + HOSTILE)
    history.add("ExecutionFailed", error=HOSTILE, cause=HOSTILE)
    return history, _graph(HOSTILE, long_name, "Fail", Fail={"Type": "Fail"})


def _map() -> tuple[History, Graph]:
    """A Map over very many items, of which one is bad."""
    history = History().started()
    history.add("MapStateEntered", name="Each", input="[]")
    began = history.add("MapStateStarted", length=ITEMS)
    for index in range(ITEMS):
        history.add("MapIterationStarted", began, name="Each", index=index)
        history.add("TaskStateEntered", name="One", input=json.dumps({"item": index}))
        history.add("LambdaFunctionScheduled", resource="arn:aws:lambda:us-east-1:1:function:f")
        if index == BAD_ITEM:
            last = history.add("LambdaFunctionFailed", **FAILED)
            history.add("MapIterationFailed", name="Each", index=index)
            continue
        history.add("LambdaFunctionSucceeded", output="{}")
        last = history.add("TaskStateExited", name="One", output="{}")
        history.add("MapIterationSucceeded", last, name="Each", index=index)
    history.add("ExecutionFailed", **FAILED)
    one = {"StartAt": "One", "States": {"One": {"Type": "Task", "Resource": "arn:aws:lambda:…", "End": True}}}
    return history, _graph("Each", Each={"Type": "Map", "ItemProcessor": one})


def _long() -> tuple[History, Graph]:
    names = [f"State{number}" for number in range(STATES)]
    history = History().started()
    for name in names:
        _passed(history, name, "{}")
    history.add("ExecutionSucceeded", output="{}")
    return history, _graph(*names)


def _ended(how: str) -> tuple[History, Graph]:
    history = History().started()
    history.add("TaskStateEntered", name="Work", input="{}")
    history.add("LambdaFunctionScheduled", resource="r")
    history.add(how)
    return history, _graph("Work", "Rest", Work={"Type": "Task", "Resource": "r"})
