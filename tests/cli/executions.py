"""Run executions for the tests of `metering executions`."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.cli.metering import Metering
from tests.conftest import sandbox_of
from tests.workflows.runner import Runner


@contextmanager
def fault(metering: Metering, **members: Any) -> Iterator[None]:
    """Let calls of Amberflo fail until the end of the block."""
    sandbox_of(metering.system).set_faults([members])
    yield
    sandbox_of(metering.system).clear_faults()


def parse_name(arn: str) -> str:
    """Return the name of an execution."""
    return arn.rsplit(":", 1)[1]


def run_workflow(metering: Metering, workflow: str, request: Any) -> str:
    """Run a workflow, and return the name of its execution."""
    return parse_name(Runner(metering.system, endpoint=None).run(workflow, request).arn)


def run_failing(metering: Metering, request: Any = None) -> str:
    """Run a workflow that fails, and return the name of its execution."""
    with fault(metering, kind="status", status=503):
        return run_workflow(metering, "list_meters", request or {})


def build_usages(count: int) -> dict[str, Any]:
    """Build the input of ``ingest_usage``."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    usage = {"tenantId": "acme", "meterApiName": "api-calls", "meterValue": 1}
    ids = [str(uuid.uuid4()) for _ in range(count)]
    return {
        "usages": [{"eventId": id_, "eventTime": now, "index": index, "usage": usage} for index, id_ in enumerate(ids)]
    }
