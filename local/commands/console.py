"""``metering console``: look at what happens, in the browser."""

import webbrowser
from typing import Annotated

import typer

from amberflo_workflows.local.commands.shared import running, say, told
from amberflo_workflows.local.deployment import AwsDeployment
from amberflo_workflows.local.home import home


def console(
    context: typer.Context,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Look at the workflows in the browser. With --stack: at those on AWS, until you press Ctrl+C."""
    # Imported here: they bring a web server.
    from amberflo_workflows.local.console import packages, process  # noqa: PLC0415

    with told():
        if isinstance(context.obj, AwsDeployment):
            from amberflo_workflows.local.console.server import serve  # noqa: PLC0415

            port = process.choose_port()
            _show(f"http://127.0.0.1:{port}/", browser=False)
            serve(context.obj, port, packages.installed())
            return
        running()
        _show(process.start(home()), browser=not no_browser)


def _show(url: str, *, browser: bool) -> None:
    say(f"The console is at {url}")
    if browser:
        webbrowser.open(url)
