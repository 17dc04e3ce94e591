"""``metering up``."""

import json
from typing import Annotated

import typer

from amberflo_workflows.cli.context import reported_errors
from amberflo_workflows.cli.options import Json
from amberflo_workflows.cli.output import note, say, show_progress
from amberflo_workflows.local import console_process
from amberflo_workflows.local import system as systems
from amberflo_workflows.local.home import home
from amberflo_workflows.operate.errors import OperatorError

app = typer.Typer(add_completion=False)


@app.command()
def up(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the emulator. Default: 4566, or a free one.")
    ] = None,
    check_meter_names: Annotated[
        bool, typer.Option(help="Reject usage under a meter that does not exist. It would not be counted.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Start the local system and leave it running."""
    system = systems.find_running(home())
    is_new = system is None
    if system is None:
        with reported_errors(), show_progress() as report:
            # A console that still runs shows the emulator that has ended.
            console_process.stop(home())
            system = systems.up(
                home(), port, (lambda _: None) if as_json else report, note, check_meter_names=check_meter_names
            )
    console_url = _start_console()
    if as_json:
        print(json.dumps({"api": system.api_endpoint, "console": console_url, "started": is_new}))
        return
    say(f"The API is at {system.api_endpoint}" if is_new else f"Already running. The API is at {system.api_endpoint}")
    if console_url:
        say(f"The console is at {console_url}")
    if is_new:
        say('Next: eval "$(.venv/bin/metering env)"')


def _start_console() -> str | None:
    """The console's address. ``None`` if the console cannot start: the system is useful without it."""
    try:
        return console_process.start(home())
    except OperatorError as error:
        note(str(error))
        return None
