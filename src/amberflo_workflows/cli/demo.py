"""``metering demo``."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from amberflo_workflows.cli.context import reported_errors
from amberflo_workflows.cli.output import console, fail, show_progress
from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.local import system as systems
from amberflo_workflows.local.demo.run import Demo, DemoFailed
from amberflo_workflows.local.demo.usages import generate_usages
from amberflo_workflows.operate.usage_files import read_usage_list

app = typer.Typer(add_completion=False)


@app.command()
def demo(
    events: Annotated[
        Path | None, typer.Option(help="CSV or NDJSON file of usages. Default: generated usages.")
    ] = None,
) -> None:
    """Run the main job on a system of its own, which stops at the end."""
    try:
        usages = read_usage_list(events) if events else generate_usages()
        with reported_errors(), tempfile.TemporaryDirectory(prefix="metering-demo-") as folder, ExitStack() as stack:
            with show_progress() as report:
                system = stack.enter_context(systems.running_system(Path(folder), on_progress=report))
            is_correct = Demo(system, console).run(usages)
    except (InvalidFile, DemoFailed) as error:
        raise fail(error) from None
    console.print("All totals are as expected." if is_correct else "[red]Totals differ from the expected ones.[/red]")
    raise typer.Exit(0 if is_correct else 1)
