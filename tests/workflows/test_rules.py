import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.asl import (
    FILES,
    THROTTLED,
    iter_states,
    iter_tasks,
    load_workflow,
    max_seconds,
    max_wait_seconds,
    workflow_name,
)
from tests.workflows.faults.matrix import ERROR_GROUPS

SYNCHRONOUS_SECONDS = 25
INGEST_SECONDS = 240
BACKFILL_SECONDS = 86_400
TENANT_SECONDS = 3_600
MAP_ITEMS = 300
LAMBDA_ERRORS = ERROR_GROUPS["Lambda.*"] | ERROR_GROUPS["Worker.*"] | {THROTTLED}
# Workflows that also run where no caller waits.
BACKGROUND = {"ingest_usage", "create_customer", "delete_customer", "reconcile_usage"}
# Those for which no caller waits.
NEVER_CALLED = {
    *("create_customer", "delete_customer"),
    *("backfill_usage", "reconcile_usage", "replay_usage", "close_period"),
}
OWN_ERRORS = {
    "SendRange": {"ChunkNotSent"},
    "WriteReceipt": {"ReceiptNotWritten"},
    "WriteCancellation": {"ReceiptNotWritten"},
    "ReadRecords": {"LedgerUnavailable", "UnreadableObject"},
    "ListUnsorted": {"LedgerUnavailable"},
    "SortBatch": {"LedgerUnavailable"},
    "PlanComparison": {"LedgerUnavailable"},
    "CompareHours": {"LedgerUnavailable"},
    "WriteReport": {"LedgerUnavailable"},
    "PlanReplay": {"LedgerUnavailable"},
    "SendUsagesAgain": {"ChunkNotSent", "LedgerUnavailable"},
    "StartReconciliation": {"ReconciliationNotStarted"},
    "CheckPeriod": {"PeriodNotChecked"},
}
AMBERFLO_ERRORS = {"AmberfloThrottled", "AmberfloUnavailable", "States.Timeout"}

every_workflow = pytest.mark.parametrize("path", FILES, ids=workflow_name)
# They send usage through ingest_usage, or read a reconciliation.
WITHOUT_KEY = {"backfill_usage", "replay_usage", "close_period"}
every_workflow_with_a_key = pytest.mark.parametrize(
    "path", [path for path in FILES if workflow_name(path) not in WITHOUT_KEY], ids=workflow_name
)


def _is_lambda(task: dict[str, Any]) -> bool:
    return str(task["Resource"]).endswith("FunctionArn}")


def _calls_amberflo(task: dict[str, Any]) -> bool:
    """Whether a step gets the version of the API key."""
    return "apiKey.$" in task.get("Parameters", {})


def _find_machine_with_key(machine: dict[str, Any]) -> dict[str, Any]:
    """The part of a workflow that handles the key: in a distributed map, each item is an execution of its own."""
    distributed = [
        state["ItemProcessor"]
        for state in machine["States"].values()
        if state.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED"
    ]
    return next((inner for inner in distributed if inner["StartAt"] == "ResolveApiKey"), machine)


def test_every_operation_has_a_workflow() -> None:
    assert {workflow_name(path) for path in FILES} >= {
        "create_meter", "get_meter", "list_meters", "update_meter", "delete_meter",
        "fetch_usage", "list_records", "cancel_usage", "ingest_usage", "backfill_usage",
        "list_usage", "list_customers", "get_customer", "create_customer", "delete_customer",
        "reconcile_usage", "replay_usage", "close_period",
    }  # fmt: skip


@every_workflow_with_a_key
def test_the_key_is_resolved_first_and_refreshed_at_most_once(path: Path) -> None:
    machine = _find_machine_with_key(load_workflow(path))
    assert machine["StartAt"] == "ResolveApiKey"
    assert machine["States"]["ResolveApiKey"]["Parameters"]["refresh"] is False
    assert machine["States"]["RefreshApiKey"]["Parameters"]["refresh"] is True
    assert machine["States"]["WasApiKeyRefreshed"]["Choices"] == [
        {"Variable": "$.apiKey.refreshed", "BooleanEquals": True, "Next": "ApiKeyRejected"}
    ]
    predecessors = [state.name for state in iter_states(machine) if state.body.get("Next") == "RefreshApiKey"]
    assert predecessors == []
    assert machine["States"]["WasApiKeyRefreshed"]["Default"] == "RefreshApiKey"


@every_workflow
def test_every_workflow_has_the_time_limit_of_its_kind(path: Path) -> None:
    longer = {
        "ingest_usage": INGEST_SECONDS,
        "backfill_usage": BACKFILL_SECONDS,
        "reconcile_usage": BACKFILL_SECONDS,
        "replay_usage": BACKFILL_SECONDS,
        "close_period": 2 * BACKFILL_SECONDS,
        "create_customer": TENANT_SECONDS,
        "delete_customer": TENANT_SECONDS,
    }
    assert load_workflow(path)["TimeoutSeconds"] == longer.get(workflow_name(path), SYNCHRONOUS_SECONDS)


def test_some_workflows_do_not_call_amberflo() -> None:
    callers = {path for path in FILES if any(_calls_amberflo(task.body) for task in iter_tasks(load_workflow(path)))}
    assert {workflow_name(path) for path in FILES if path not in callers} == WITHOUT_KEY


@every_workflow
def test_every_task_has_a_time_limit_and_retries_of_named_errors_with_jitter_and_a_limit(path: Path) -> None:
    for name, task in iter_tasks(load_workflow(path)):
        assert task["TimeoutSeconds"] > 0, name
        assert task["Retry"], name
        for retrier in task["Retry"]:
            assert not {"States.ALL", "States.TaskFailed"} & set(retrier["ErrorEquals"]), name
            assert retrier["JitterStrategy"] == "FULL", name
            assert retrier["MaxDelaySeconds"] >= retrier["IntervalSeconds"], name


@every_workflow
def test_every_lambda_task_retries_lambda_errors_and_timeouts(path: Path) -> None:
    for name, task in iter_tasks(load_workflow(path)):
        if not _is_lambda(task):
            continue
        retried = {error for retrier in task["Retry"] for error in retrier["ErrorEquals"]}
        expected = LAMBDA_ERRORS | (AMBERFLO_ERRORS if _calls_amberflo(task) else {"States.Timeout"})
        # If a secret cannot be read, a caller gets the error at once. Where no caller waits, the read is retried.
        reads_secret = name not in OWN_ERRORS
        expected |= {"ApiKeyUnavailable"} if workflow_name(path) in BACKGROUND and reads_secret else set()
        assert retried - OWN_ERRORS.get(name, set()) == expected, name


@every_workflow
def test_every_step_that_calls_amberflo_refreshes_a_rejected_key(path: Path) -> None:
    machine = _find_machine_with_key(load_workflow(path))
    for name, state in machine["States"].items():
        inner = [task.body for task in iter_tasks(state["ItemProcessor"])] if "ItemProcessor" in state else []
        callers = [task for task in [state, *inner] if task["Type"] == "Task" and _calls_amberflo(task)]
        if callers:
            catches = {catch["ErrorEquals"][0]: catch["Next"] for catch in state["Catch"]}
            assert catches["AmberfloUnauthorized"] == "WasApiKeyRefreshed", name


@every_workflow
def test_a_step_gets_the_time_limit_of_its_state(path: Path) -> None:
    for name, task in iter_tasks(load_workflow(path)):
        if _calls_amberflo(task):
            # A large response has to be stored in its bucket before the state times out.
            reserve = 1 if name in {"FetchUsage", "ListUsage", "ListMeters", "ListCustomers"} else 0
            # A step that makes many calls has a limit for each of them.
            limit = 30 if name == "CompareHours" else task["TimeoutSeconds"] - reserve
            assert task["Parameters"]["timeoutSeconds"] == limit, name


@every_workflow
def test_the_longest_time_of_each_state_fits_into_the_workflows_time_limit(path: Path) -> None:
    machine = load_workflow(path)
    for name, state in iter_states(machine):
        if state["Type"] == "Task":
            assert max_seconds(state) <= machine["TimeoutSeconds"], name
        if state["Type"] == "Map":
            # Each range is a separate execution. Their number, and so the time of all, depends on the file.
            is_distributed = state["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
            rounds = 1 if is_distributed else MAP_ITEMS / state["MaxConcurrency"]
            item = sum(max_seconds(task.body) for task in iter_tasks(state["ItemProcessor"]))
            assert rounds * item <= machine["TimeoutSeconds"], name


@every_workflow
def test_states_use_plain_reference_paths_only(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\$[\w.\[\]*]*(\.\.|\[\?|\[-|:\])", text)
    assert "JSONata" not in text


@every_workflow
def test_a_path_that_may_match_nothing_is_read_only_after_a_choice(path: Path) -> None:
    """A list of lists may be empty as a whole, and what a path into it gives then depends on the engine."""
    machine = load_workflow(path)
    for name, state in iter_states(machine):
        if re.search(r"\[\*\][^\"]*\[\*\]", json.dumps({**state, "ItemProcessor": None})):
            sources = {source for source, body in machine["States"].items() if f'"{name}"' in json.dumps(body)}
            assert {machine["States"][source]["Type"] for source in sources} == {"Choice"}, name


@pytest.mark.parametrize("workflow", ["create_customer", "delete_customer"])
def test_a_tenant_event_that_fails_is_put_into_the_dead_letter_queue_first(workflow: str) -> None:
    machine = load_workflow(next(path for path in FILES if workflow_name(path) == workflow))
    predecessors = {name for name, state in machine["States"].items() if state.get("Next") == "TenantEventFailed"}
    assert predecessors == {"SendToDeadLetterQueue"}
    assert [name for name, state in machine["States"].items() if state["Type"] == "Fail"] == ["TenantEventFailed"]
    for name, state in machine["States"].items():
        if state["Type"] == "Task" and name != "SendToDeadLetterQueue":
            assert state["Catch"][-1] == {
                "ErrorEquals": ["States.ALL"],
                "ResultPath": "$.error",
                "Next": "SendToDeadLetterQueue",
            }


def _waits_for_throttled_lambdas(task: dict[str, Any]) -> bool:
    retrier = next(retrier for retrier in task["Retry"] if THROTTLED in retrier["ErrorEquals"])
    return max_wait_seconds(retrier) >= 60


@every_workflow
def test_a_state_waits_longer_for_a_throttled_lambda_if_no_caller_ever_waits(path: Path) -> None:
    """In a new account, ten Lambdas can run at a time, and the usage of a queue needs more at its peaks."""
    lambdas = {state.name: state.body for state in iter_tasks(load_workflow(path)) if _is_lambda(state.body)}
    patient = {name for name, task in lambdas.items() if _waits_for_throttled_lambdas(task)}
    never_called = workflow_name(path) in NEVER_CALLED
    assert patient == (lambdas.keys() if never_called else {"SendInBackground"} & lambdas.keys())


@pytest.mark.parametrize("workflow", ["create_customer", "delete_customer"])
def test_a_tenant_event_reaches_the_dead_letter_queue_before_the_time_limit(workflow: str) -> None:
    """An execution that times out would lose its event. The worst case: every state twice, since a key is refreshed."""
    machine = load_workflow(next(path for path in FILES if workflow_name(path) == workflow))
    assert 2 * sum(max_seconds(task.body) for task in iter_tasks(machine)) <= machine["TimeoutSeconds"]


def test_ingest_retries_longer_where_no_caller_waits() -> None:
    machine = load_workflow(next(path for path in FILES if workflow_name(path) == "ingest_usage"))
    assert max_wait_seconds(machine["States"]["SendInBackground"]["Retry"][0]) >= 60
    assert max_seconds(machine["States"]["SendForCaller"]) <= SYNCHRONOUS_SECONDS
