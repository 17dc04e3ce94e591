"""``metering status``."""

import json
from typing import Any

import typer
from rich.table import Table

from amberflo_workflows.cli.context import get_deployment, reported_errors
from amberflo_workflows.cli.options import Json
from amberflo_workflows.cli.output import console, fail
from amberflo_workflows.local import console_process
from amberflo_workflows.local.home import home
from amberflo_workflows.local.system import System
from amberflo_workflows.operate.usage_queue import read_usage_queue

app = typer.Typer(add_completion=False)


@app.command()
def status(context: typer.Context, as_json: Json = False) -> None:
    """Show what is running, and where."""
    deployment = get_deployment(context)
    with reported_errors():
        facts = _local_facts(deployment) if isinstance(deployment, System) else {"stack": deployment.stack}
        facts |= {
            "api": deployment.api_endpoint,
            "eventBus": deployment.outputs["EventBusName"],
            "stateMachines": deployment.state_machine_arns,
            "usageQueue": deployment.outputs["UsageQueueUrl"],
            "deadLetterQueue": deployment.outputs["UsageDeadLetterQueueUrl"],
            "tenantDeadLetterQueue": deployment.outputs["TenantDeadLetterQueueUrl"],
            "rejectedTable": deployment.outputs["RejectedTableName"],
        }
        queue = read_usage_queue(deployment)
        facts |= {"queuedEvents": queue.waiting, "eventsInFlight": queue.in_flight, "queueIsRead": queue.is_read}
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    table = Table(show_header=False, box=None)
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, "\n".join(value) if isinstance(value, dict) else str(value))
    console.print(table)
    if queue.problem:
        advice = "Restart the local system: metering down, then metering up." if isinstance(deployment, System) else ""
        raise fail(f"{queue.problem} {advice}".rstrip())


def _local_facts(system: System) -> dict[str, Any]:
    running_console = console_process.find_running(home())
    return {
        "console": running_console.url if running_console else None,
        "aws": system.emulator.url,
        "amberflo": system.amberflo_url,
        "sandbox": system.sandbox is not None,
        "home": str(home()),
    }
