"""``metering console``."""

import json
import socket
import webbrowser
from typing import Annotated

import typer

from amberflo_workflows.cli.context import get_stack, reported_errors, require_local_system
from amberflo_workflows.cli.options import Json
from amberflo_workflows.cli.output import say
from amberflo_workflows.console.packages import install_packages
from amberflo_workflows.console.server import listen, serve
from amberflo_workflows.local import console_process
from amberflo_workflows.local.home import home
from amberflo_workflows.operate.loopback import LOOPBACK

app = typer.Typer(add_completion=False)


@app.command()
def console(
    context: typer.Context,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    as_json: Json = False,
) -> None:
    """Open the console in the browser. With --stack it runs until Ctrl+C."""
    stack = get_stack(context)
    with reported_errors():
        if stack:
            packages, listener = install_packages(), _listen()
            _show(f"http://{LOOPBACK}:{listener.getsockname()[1]}/", as_json)
            serve(stack, listener, packages)
            return
        require_local_system()
        url = console_process.start(home())
    _show(url, as_json)
    if not (no_browser or as_json):
        webbrowser.open(url)


def _listen() -> socket.socket:
    """Listen before the address is printed, so that it is not another program's by then."""
    try:
        return listen(console_process.DEFAULT_PORT)
    except OSError:
        return listen(0)


def _show(url: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"console": url}), flush=True)
    else:
        say(f"The console is at {url}")
