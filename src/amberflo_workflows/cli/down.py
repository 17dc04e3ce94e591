"""``metering down``."""

import json

import typer

from amberflo_workflows.cli.context import reported_errors
from amberflo_workflows.cli.options import Json
from amberflo_workflows.cli.output import note, say
from amberflo_workflows.local import console_process
from amberflo_workflows.local import system as systems
from amberflo_workflows.local.home import home

app = typer.Typer(add_completion=False)


@app.command()
def down(as_json: Json = False) -> None:
    """Stop the local system; the next start restores meters, usage and queued events."""
    with reported_errors():
        console_process.stop(home())
        was_running = systems.down(home(), note)
    if as_json:
        print(json.dumps({"stopped": was_running}))
    else:
        say("Stopped." if was_running else "Nothing was running.")
