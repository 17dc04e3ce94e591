"""Reconciliations for the tests of their pages."""

import json
import time
from dataclasses import replace
from typing import Any

from playwright.sync_api import Page

from amberflo_workflows.local.system import System
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.model import Status
from amberflo_workflows.operate.ledger.reconciliation_runs import ReconciliationRun, read_run
from amberflo_workflows.tasks.cancel_usage import CANCEL_DIMENSION
from tests.cli.ledger.usages import HOUR, HOUR_SECONDS, build_usage, send_elsewhere
from tests.cli.local_metering import count_usages

HOSTILE = "<img src=x onerror=\"document.title='taken over'\">, & Söhne"
TIMEOUT_MS = 60_000
LABEL = time.strftime("%Y-%m-%d %H:%M", time.gmtime(HOUR))


def format_hour(seconds: int) -> str:
    """Format epoch seconds as the value of a field."""
    return time.strftime("%Y-%m-%dT%H:%M", time.gmtime(seconds))


def fill_form(page: Page, tenant: str, meter: str = "") -> None:
    """Fill the form that starts a reconciliation of two hours."""
    page.get_by_label("From (UTC)").fill(format_hour(HOUR))
    page.get_by_label("To (UTC)").fill(format_hour(HOUR + 2 * HOUR_SECONDS))
    page.get_by_label("Meter").fill(meter)
    page.get_by_label("Tenant").fill(tenant)


def start_reconciliation(system: System, request: Any) -> str:
    """Start an execution with an input; returns its name."""
    arn = system.state_machine_arns["reconcile_usage"]
    started = system.client("stepfunctions").start_execution(stateMachineArn=arn, input=json.dumps(request))
    return str(started["executionArn"]).split(":")[7]


def build_request(tenant: str, **members: Any) -> dict[str, Any]:
    """Return a request for two hours of a tenant."""
    hours = {"startTimeInSeconds": HOUR, "endTimeInSeconds": HOUR + 2 * HOUR_SECONDS}
    return {**hours, "tenantId": tenant, **members}


def count_with_drift(system: System, tenant: str) -> None:
    """Count 4, of which Amberflo loses 2, and let Amberflo have 5 that were not sent an hour later."""
    lost = build_usage(tenant, 1)
    count_usages(system, [lost, build_usage(tenant, 2)])
    send_elsewhere(system, lost, **{CANCEL_DIMENSION: "true"})
    send_elsewhere(system, build_usage(tenant, 3, 5, meterTimeInMillis=(HOUR + HOUR_SECONDS) * 1000))


def read_running(executions: Executions, name: str) -> ReconciliationRun:
    """Read a run as if it had not ended."""
    run = read_run(executions, name)
    return replace(run, summary=replace(run.summary, status=Status.RUNNING, stopped=None), result=None, problem="")
