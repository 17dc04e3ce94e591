"""``metering sbt-bindings``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from amberflo_workflows.cli.options import Json
from amberflo_workflows.cli.output import fail, say, show_status
from amberflo_workflows.infra.node import NodeMissing
from amberflo_workflows.infra.sbt.bindings import BindingsFailed, build_wheel, render_install_hint

app = typer.Typer(add_completion=False)


@app.command()
def sbt_bindings(
    out: Annotated[Path, typer.Option(help="Folder for the wheel.")] = Path("build/sbt"),
    package: Annotated[
        Path | None, typer.Option(help="File of SBT's npm package. Default: the pinned release.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Generate Python bindings for the SaaS Builder Toolkit, as a wheel."""
    try:
        with show_status("Generating the bindings. The first time takes about 15 seconds"):
            wheel = build_wheel(out, package)
    except (BindingsFailed, NodeMissing) as error:
        raise fail(error) from None
    if as_json:
        print(json.dumps({"wheel": str(wheel)}))
    else:
        say(render_install_hint(wheel))
