"""Lambda functions without processes of their own, and the clock and the threads that they see."""

import asyncio
import importlib
import json
from collections.abc import Callable
from concurrent.futures import Executor, Future
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from ministack.services import sqs, stepfunctions

from amberflo_workflows.core import observability
from amberflo_workflows.entrypoints import api, call_identity, ingest, ingest_queue
from amberflo_workflows.operate.rejected import dead_letters
from amberflo_workflows.tasks import send_usages
from amberflo_workflows.tasks.amberflo import api_key, client, meter_names
from tests.histories.faults import Kind, WorkerKilled
from tests.histories.network import Network
from tests.tasks.caches import clear_caches

_WITH_THREADS: tuple[ModuleType, ...] = (ingest, ingest_queue, send_usages, dead_letters, stepfunctions)
_WITH_WAITS: tuple[ModuleType, ...] = (
    ingest_queue,
    api_key,
    client,
    meter_names,
    observability,
    call_identity,
    sqs,
    stepfunctions,
)
# Twice as many as a full chunk has if each of its usages is sent alone, with all retries, and stored.
_MAX_TASKS = 2 * 300 * 4


class Context:
    """What a handler reads from Lambda's context."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:function"
    aws_request_id = "request"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


class Clock:
    """Time that passes only when someone waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.now += seconds


class InOrder(Executor):
    """An executor that runs each call before the next, so that a history can be repeated."""

    def __init__(self, *_args: Any, **_options: Any) -> None:
        return

    def submit(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **options))
        except Exception as error:  # noqa: BLE001 - as a thread does; a killed worker ends this one, too
            future.set_exception(error)
        return future


def replace_clock_and_threads(patch: pytest.MonkeyPatch, clock: Clock) -> None:
    for module in _WITH_THREADS:
        patch.setattr(module, "ThreadPoolExecutor", InOrder)
    for module in _WITH_WAITS:
        patch.setattr(module, "time", clock)
    patch.setattr(sqs, "asyncio", SimpleNamespace(sleep=clock.sleep_async, iscoroutine=asyncio.iscoroutine))


def forget_everything() -> None:
    """Act as new processes of the Lambdas, with empty caches."""
    clear_caches()
    api._machine_arns.cache_clear()


def build_invoke(network: Network) -> Callable[[str, Any, int], Any]:
    """Return what MiniStack's interpreter calls for a task, in place of a worker process with a time limit.

    MiniStack ignores the time limit of an execution. Without one, an execution that never ends would be a test that
    never ends.
    """

    def invoke(resource: str, payload: Any, _timeout: int) -> Any:
        network.tasks += 1
        if network.tasks > _MAX_TASKS:
            raise stepfunctions._ExecutionError("States.Timeout", "the execution does not end")
        if ":function:" in resource:
            return _run_step(resource.rpartition(":")[2], payload)
        if network.strikes.strikes(Kind.TABLE_THROTTLED):
            raise stepfunctions._ExecutionError("DynamoDB.ThrottlingException", "a fault of the test")
        return stepfunctions._invoke_resource(resource, payload)

    return invoke


def _run_step(name: str, payload: Any) -> Any:
    """Run a step as Lambda does: JSON in, JSON out, and an error by the name of its class."""
    handler = importlib.import_module(f"amberflo_workflows.tasks.{name}").handler
    try:
        return json.loads(json.dumps(handler(json.loads(json.dumps(payload)), Context())))
    except WorkerKilled:
        forget_everything()
        raise stepfunctions._ExecutionError("Runtime.ExitError", "the process ended") from None
    except Exception as error:  # noqa: BLE001 - as the runtime does
        cause = {"errorType": type(error).__name__, "errorMessage": str(error)}
        raise stepfunctions._ExecutionError(type(error).__name__, json.dumps(cause)) from None
