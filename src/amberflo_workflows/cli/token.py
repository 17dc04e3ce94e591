"""``metering token``."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from amberflo_workflows.cli.context import get_stack, reported_errors, require_local_system
from amberflo_workflows.cli.options import Json
from amberflo_workflows.cli.output import fail
from amberflo_workflows.local import tokens
from amberflo_workflows.local.expired_tokens import build_expired_token
from amberflo_workflows.local.home import home
from amberflo_workflows.local.system import System

app = typer.Typer(add_completion=False)


class TokenScope(StrEnum):
    """What a token allows: reading, writing, or both."""

    READ = "read"
    WRITE = "write"
    BOTH = "both"


@app.command()
def token(
    context: typer.Context,
    scope: Annotated[TokenScope, typer.Option(help="What the token allows.")] = TokenScope.BOTH,
    expired: Annotated[bool, typer.Option("--expired", help="Print an expired token, for tests.")] = False,
    as_json: Json = False,
) -> None:
    """Print a bearer token for the API, which is valid for an hour."""
    stack = get_stack(context)
    if stack and (expired or scope is not TokenScope.BOTH):
        raise fail("--scope and --expired work on the local system only", 2)
    with reported_errors():
        access_token = stack.access_token if stack else _local_token(require_local_system(), scope, expired=expired)
    print(json.dumps({"token": access_token}) if as_json else access_token)


def _local_token(system: System, scope: TokenScope, *, expired: bool) -> str:
    access_token = tokens.fetch_access_token(system.emulator, system.outputs, tokens.SCOPES[scope.value])
    if not expired:
        return access_token
    return build_expired_token(access_token, home() / "emulator", system.outputs["UserPoolId"])
