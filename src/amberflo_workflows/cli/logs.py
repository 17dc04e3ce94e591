"""``metering logs``."""

import json
from typing import Annotated

import typer

from amberflo_workflows.cli.context import get_deployment, reported_errors
from amberflo_workflows.cli.options import Json
from amberflo_workflows.cli.output import say
from amberflo_workflows.operate.lambda_logs import read_log_lines

app = typer.Typer(add_completion=False)


@app.command()
def logs(
    context: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for new lines and print them.")] = False,
    minutes: Annotated[int, typer.Option(min=1, help="Print the lines of the last minutes.")] = 10,
    as_json: Json = False,
) -> None:
    """Print the logs of the Lambda functions, oldest first."""
    deployment = get_deployment(context)
    with reported_errors():
        for line in read_log_lines(deployment, minutes=minutes, follow=follow):
            if as_json:
                print(json.dumps(line._asdict()), flush=True)
            else:
                say(line.message)
