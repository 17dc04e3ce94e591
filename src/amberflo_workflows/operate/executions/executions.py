"""The executions of a deployment: one way to all of them, whoever keeps their history."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.api_reader import ApiReader
from amberflo_workflows.operate.executions.graph import Graph
from amberflo_workflows.operate.executions.log_reader import LogReader
from amberflo_workflows.operate.executions.machines import Machine, Machines
from amberflo_workflows.operate.executions.model import Execution, ExecutionSummary, LogLine, StateRun, Status
from amberflo_workflows.operate.executions.reader import NoSuchExecution, Page, Query, Reader, newest

POLL_SECONDS: Final = 0.5
# Logs come late, and each look at them costs a call to a service that allows few.
_LOG_POLL_SECONDS: Final = 2.0
_LOGGED_WITHIN_SECONDS: Final = 90.0
_NAMED_AT_MOST: Final = 5
_CLOCKS_DIFFER: Final = timedelta(milliseconds=50)


class Executions:
    """A reader of all executions: Step Functions' own where it keeps the history, else the log reader."""

    def __init__(self, deployment: Deployment) -> None:
        self.machines = Machines(deployment)
        kept = [machine for machine in self.machines.all if machine.keeps_history]
        logged = [machine for machine in self.machines.all if not machine.keeps_history]
        self._api = ApiReader(deployment, self.machines, kept)
        self._logs = LogReader(deployment, self.machines, logged)

    def page(self, query: Query) -> Page:
        """Executions that were asked for, newest first. Raises :class:`OperatorError` if there is no such workflow."""
        if query.workflow is not None:
            return self._reader(self.machines.of(query.workflow)).page(query)
        return newest([self._api.page(query), self._logs.page(query)], query.limit)

    def recent(self, workflow: str, since: datetime, limit: int) -> Sequence[ExecutionSummary]:
        """A workflow's executions that began since then, newest first, at most so many."""
        machine = self.machines.of(workflow)
        return self._reader(machine).recent(Query(workflow=workflow, since=since, limit=limit))

    def get(self, arn: str) -> Execution:
        """An execution whole. Raises :class:`NoSuchExecution`."""
        return self._reader(self.machines.of_execution(arn)).get(arn)

    def log_lines(self, execution: Execution) -> Iterator[LogLine]:
        """What its tasks logged, oldest first."""
        return self._reader(self.machines.of_execution(execution.summary.arn)).log_lines(execution)

    def log_lines_of(self, execution: Execution, resource: str, passages: Sequence[StateRun]) -> Sequence[LogLine]:
        """What the task of one state logged while the execution passed through it."""
        if ":lambda:" not in resource:
            return []
        spans = [(one.entered - _CLOCKS_DIFFER, (one.exited or datetime.now(UTC)) + _CLOCKS_DIFFER) for one in passages]
        lines = (line for line in self.log_lines(execution) if line.resource == resource)
        return [line for line in lines if any(begin <= line.at <= end for begin, end in spans)]

    def arn_of(self, text: str) -> str:
        """The ARN of an execution by its ARN, its name, or the beginning of its name if no other begins like it.

        Raises :class:`OperatorError` if there is none or more than one.
        """
        if text.startswith("arn:"):
            self.machines.of_execution(text)
            return text
        page = self.page(Query(name_prefix=text, limit=_NAMED_AT_MOST))
        exact = [one.arn for one in page.summaries if one.name == text]
        found = exact or [one.arn for one in page.summaries]
        if not found:
            raise NoSuchExecution(f"No execution's name begins with '{text}'; see: metering executions list")
        if len(found) > 1:
            names = ", ".join(one.name for one in page.summaries)
            raise OperatorError(f"'{text}' is not one execution: {names}. Say more of its name, or its ARN.")
        return found[0]

    def graph_of(self, execution: Execution) -> Graph:
        """The graph of its workflow; of a distributed Map's child, that of an item."""
        machine = self.machines.of_execution(execution.summary.arn)
        if "/" not in execution.summary.arn.split(":")[6]:
            return machine.graph
        inner = [node.inside[0] for node in machine.graph.nodes if node.is_distributed]
        return inner[0] if inner else machine.graph

    def follow(self, arn: str) -> Iterator[Execution]:
        """The execution as it goes on, until it has ended. Raises :class:`NoSuchExecution`."""
        machine = self.machines.of_execution(arn)
        known = self._begun(machine, arn)
        yield known
        while known.summary.status is Status.RUNNING:
            time.sleep(POLL_SECONDS if machine.keeps_history else _LOG_POLL_SECONDS)
            known = self._api.get(arn, known.events) if machine.keeps_history else self._logs.get(arn)
            yield known

    def opened(self, execution: Execution, state: str, index: int) -> Execution:
        """An item of a Map as an execution of its own. Raises :class:`OperatorError` if it is not known."""
        run = next((one.map for one in reversed(execution.states) if one.name == state and one.map), None)
        if run is None:
            raise OperatorError(f"'{state}' is no Map that this execution went through.")
        iteration = next((one for one in run.iterations if one.index == index), None)
        if iteration is None:
            known = f"there are 0 to {len(run.iterations) - 1}" if run.iterations else "the history tells of none"
            raise OperatorError(f"There is no iteration {index} of {state}; {known}.")
        if iteration.arn:
            return self.get(iteration.arn)
        summary = replace(
            execution.summary, status=iteration.status, started=iteration.started, stopped=iteration.ended
        )
        first, last = (iteration.states[0], iteration.states[-1]) if iteration.states else (None, None)
        return replace(
            execution,
            summary=summary,
            input=first.input if first else None,
            output=last.output if last else None,
            error=last.error if last and iteration.status.is_bad else "",
            cause=last.cause if last and iteration.status.is_bad else "",
            events=(),
            states=iteration.states,
        )

    def _begun(self, machine: Machine, arn: str) -> Execution:
        """As soon as anything is known of it."""
        deadline = time.monotonic() + _LOGGED_WITHIN_SECONDS
        while True:
            try:
                return self.get(arn)
            except NoSuchExecution:
                if machine.keeps_history or time.monotonic() > deadline:
                    raise
            time.sleep(_LOG_POLL_SECONDS)

    def _reader(self, machine: Machine) -> Reader:
        return self._api if machine.keeps_history else self._logs
