"""``metering console``: look at what happens, in the browser."""

import json
import webbrowser
from typing import Annotated

import typer

from amberflo_workflows.cli.shared import Json, reported_errors, require_local_system, say
from amberflo_workflows.local.home import home
from amberflo_workflows.operate.deployment import AwsDeployment
from amberflo_workflows.operate.loopback import LOOPBACK


def console(
    context: typer.Context,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    as_json: Json = False,
) -> None:
    """Look at the workflows in the browser. With --stack: at those on AWS, until you press Ctrl+C."""
    # Imported here: they bring a web server.
    from amberflo_workflows.console import packages  # noqa: PLC0415
    from amberflo_workflows.local import console_process as process  # noqa: PLC0415

    with reported_errors():
        if isinstance(context.obj, AwsDeployment):
            from amberflo_workflows.console.server import serve  # noqa: PLC0415

            port = process.choose_port()
            _show(f"http://{LOOPBACK}:{port}/", as_json)
            serve(context.obj, port, packages.install_packages())
            return
        require_local_system()
        url = process.start(home())
    _show(url, as_json)
    if not (no_browser or as_json):
        webbrowser.open(url)


def _show(url: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"console": url}), flush=True)
    else:
        say(f"The console is at {url}")
