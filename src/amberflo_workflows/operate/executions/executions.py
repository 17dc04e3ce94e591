"""The executions of a deployment, read from the API or from logs."""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from amberflo_workflows.operate.deployment import Deployment
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.executions.api_reader import ApiReader
from amberflo_workflows.operate.executions.graph import Graph
from amberflo_workflows.operate.executions.log_reader import LogReader
from amberflo_workflows.operate.executions.machines import Machine, Machines
from amberflo_workflows.operate.executions.model import (
    Execution,
    ExecutionResult,
    ExecutionSummary,
    LogLine,
    StateRun,
    Status,
)
from amberflo_workflows.operate.executions.reader import NoSuchExecution, Page, Query, Reader, merge_pages

POLL_SECONDS: Final = 0.5
# Logs are late, and the rate limit of FilterLogEvents is low.
_LOG_POLL_SECONDS: Final = 2.0
_MAX_LOG_DELAY_SECONDS: Final = 90.0
_MAX_MATCHES: Final = 5
# Also in a header of a response that was copied as a complete line.
_EXECUTION_ARN: Final = re.compile(r"arn:aws[\w-]*:states:[\w-]*:\d*:(?:execution|express):\S+")
_GENERATED_NAME: Final = re.compile(r"([a-z]+-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_CLOCK_SKEW: Final = timedelta(milliseconds=50)


@dataclass(frozen=True)
class Definition:
    """A workflow in the Amazon States Language; ``is_of_execution`` if it is the version that the execution runs."""

    text: str
    is_of_execution: bool


class Executions:
    """Reads all executions: from Step Functions where it keeps their history, otherwise from their logs."""

    def __init__(self, deployment: Deployment) -> None:
        self.machines = Machines(deployment)
        with_history = [machine for machine in self.machines.all if machine.keeps_history]
        without_history = [machine for machine in self.machines.all if not machine.keeps_history]
        self._api = ApiReader(deployment, self.machines, with_history)
        self._logs = LogReader(deployment, self.machines, without_history)

    def list_page(self, query: Query) -> Page:
        """List executions, newest first. Raises :class:`OperatorError` if the workflow does not exist."""
        if query.workflow is not None:
            return self._get_reader(self.machines.get(query.workflow)).list_page(query)
        return merge_pages([self._api.list_page(query), self._logs.list_page(query)], query.limit)

    def list_recent(self, workflow: str, since: datetime, limit: int, max_reads: int = 0) -> Sequence[ExecutionSummary]:
        """List a workflow's executions that started since a time, newest first.

        Of at most ``max_reads`` executions the response is read, which is cached: each further call knows of more.
        """
        machine = self.machines.get(workflow)
        return self._get_reader(machine).list_recent(Query(workflow=workflow, since=since, limit=limit), max_reads)

    def list_results(self, workflow: str, limit: int) -> Sequence[ExecutionResult]:
        """List a standard workflow's executions with their results, newest first.

        Raises :class:`OperatorError` if the workflow does not exist.
        """
        return self._api.list_results(Query(workflow=self.machines.get(workflow).workflow, limit=limit))

    def get_result(self, workflow: str, name: str) -> ExecutionResult:
        """Read an execution of a standard workflow, without its history. Raises :class:`NoSuchExecution`."""
        arn = self.machines.get(workflow).arn.replace(":stateMachine:", ":execution:")
        return self._api.get_result(f"{arn}:{name}")

    def get_status(self, arn: str) -> Status:
        """Read the status of a standard execution. Raises :class:`NoSuchExecution`."""
        return self._api.get_result(arn).summary.status

    def get(self, arn: str) -> Execution:
        """Read an execution with its history. Raises :class:`NoSuchExecution`."""
        return self._get_reader(self.machines.get_by_execution(arn)).get(arn)

    def read_log_lines(self, execution: Execution) -> Iterator[LogLine]:
        """Read the lines that an execution's tasks logged, oldest first."""
        return self._get_reader(self.machines.get_by_execution(execution.summary.arn)).read_log_lines(execution)

    def read_state_log_lines(self, execution: Execution, resource: str, runs: Sequence[StateRun]) -> Sequence[LogLine]:
        """Read the lines that a function (``resource``) logged during these runs of its state."""
        if ":lambda:" not in resource:
            return []
        spans = [(run.entered - _CLOCK_SKEW, (run.exited or datetime.now(UTC)) + _CLOCK_SKEW) for run in runs]
        lines = (line for line in self.read_log_lines(execution) if line.resource == resource)
        return [line for line in lines if any(start <= line.at <= end for start, end in spans)]

    def find(self, text: str) -> str | None:
        """Return the ARN of the execution whose ARN or complete name a text is, or ``None``.

        Express executions on AWS are searched for if they started in the last day and Step Functions named them.
        Raises :class:`OperatorError` for the ARN of another stack's execution.
        """
        arn = _EXECUTION_ARN.search(text)
        if arn:
            self.machines.get_by_execution(arn[0])
            return arn[0]
        names = self._api.find_by_name(text)
        if not names and _GENERATED_NAME.fullmatch(text):
            page = self._logs.list_page(Query(name_prefix=text, from_console=True, limit=_MAX_MATCHES))
            names = [summary.arn for summary in page.summaries if summary.name == text]
        return names[0] if names else None

    def resolve_arn(self, text: str) -> str:
        """Return the ARN of an execution from its ARN, its name, or a prefix of its name that is unique.

        Raises :class:`OperatorError` if no execution or more than one matches.
        """
        if text.startswith("arn:"):
            self.machines.get_by_execution(text)
            return text
        names = self._api.find_by_name(text)
        if len(names) == 1:
            return names[0]
        page = self.list_page(Query(name_prefix=text, from_console=True, limit=_MAX_MATCHES))
        exact = [summary.arn for summary in page.summaries if summary.name == text]
        arns = exact or [summary.arn for summary in page.summaries]
        if not arns:
            raise NoSuchExecution(f"No execution has a name that starts with '{text}'.", see="executions list")
        if len(arns) > 1:
            names = ", ".join(summary.name for summary in page.summaries)
            raise OperatorError(f"'{text}' matches more than one execution: {names}. Use a longer prefix or the ARN.")
        return arns[0]

    def get_graph(self, execution: Execution) -> Graph:
        """Return the graph of an execution's workflow; for a distributed Map's child, that of the Map's items."""
        machine = self.machines.get_by_execution(execution.summary.arn)
        if "/" not in execution.summary.arn.split(":")[6]:
            return machine.graph
        subgraphs = [node.subgraphs[0] for node in machine.graph.nodes if node.is_distributed]
        return subgraphs[0] if subgraphs else machine.graph

    def get_definition(self, execution: Execution) -> Definition:
        """Return the definition of an execution's workflow: the version that it started with if AWS keeps it."""
        machine = self.machines.get_by_execution(execution.summary.arn)
        if machine.is_express:
            return Definition(machine.definition, is_of_execution=False)
        return Definition(self._api.get_definition(execution.summary.arn), is_of_execution=True)

    def follow(self, arn: str) -> Iterator[Execution]:
        """Yield the execution again and again until it has ended. Raises :class:`NoSuchExecution`."""
        machine = self.machines.get_by_execution(arn)
        execution = self._wait_until_logged(machine, arn)
        yield execution
        while execution.summary.status is Status.RUNNING:
            time.sleep(POLL_SECONDS if machine.keeps_history else _LOG_POLL_SECONDS)
            execution = self._api.get(arn, execution.events) if machine.keeps_history else self._logs.get(arn)
            yield execution

    def open_iteration(self, execution: Execution, state: str, index: int) -> Execution:
        """Return an item of a Map as an execution. Raises :class:`OperatorError` if it is not known."""
        map_run = next((run.map for run in reversed(execution.states) if run.name == state and run.map), None)
        if map_run is None:
            raise OperatorError(f"'{state}' is not a Map state that this execution entered.")
        iteration = next((iteration for iteration in map_run.iterations if iteration.index == index), None)
        if iteration is None:
            count = len(map_run.iterations)
            known = f"The iterations are 0 to {count - 1}" if count else "The history has no iterations"
            raise OperatorError(f"{state} has no iteration {index}. {known}.")
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
            error=last.error if last and iteration.status.is_failure else "",
            cause=last.cause if last and iteration.status.is_failure else "",
            events=(),
            states=iteration.states,
        )

    def _wait_until_logged(self, machine: Machine, arn: str) -> Execution:
        deadline = time.monotonic() + _MAX_LOG_DELAY_SECONDS
        while True:
            try:
                return self.get(arn)
            except NoSuchExecution:
                if machine.keeps_history or time.monotonic() > deadline:
                    raise
            time.sleep(_LOG_POLL_SECONDS)

    def _get_reader(self, machine: Machine) -> Reader:
        return self._api if machine.keeps_history else self._logs
