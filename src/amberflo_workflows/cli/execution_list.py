"""``metering executions list``."""

import re
import shlex
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import typer

from amberflo_workflows.cli import execution_text
from amberflo_workflows.cli.completion import complete_workflow
from amberflo_workflows.cli.context import get_command_prefix, get_deployment, reported_errors
from amberflo_workflows.cli.csv_output import Csv, print_csv, reject_two_formats
from amberflo_workflows.cli.execution_result import print_json
from amberflo_workflows.cli.options import Json, parse_time_option, reject_empty
from amberflo_workflows.cli.output import fail, note, say, show_status, show_table
from amberflo_workflows.operate.executions.content import parse_response_filter
from amberflo_workflows.operate.executions.executions import Executions
from amberflo_workflows.operate.executions.export import SUMMARY_COLUMNS, build_summary_row
from amberflo_workflows.operate.executions.model import Status
from amberflo_workflows.operate.executions.reader import Page, Query

_MAX_PREVIEW_LENGTH: Final = 60
_PAGE_TOKEN: Final = re.compile(r"\d{15} arn:\S+")


def list_executions(
    context: typer.Context,
    *,
    workflow: Annotated[
        str | None, typer.Option(help="Only executions of this workflow.", autocompletion=complete_workflow)
    ] = None,
    status: Annotated[
        Literal["failed", "succeeded", "running", "timed-out", "aborted"] | None,
        typer.Option(help="Only executions with this status."),
    ] = None,
    response_status: Annotated[
        str | None, typer.Option(metavar="STATUS", help="Only with this response: 404, 4xx, or error for 4xx and 5xx.")
    ] = None,
    error: Annotated[
        str | None, typer.Option(callback=reject_empty, help="Only with this text in the error or an error response.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(callback=reject_empty, help="Only with this tenant in the input.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Started at or after: 1h, 2d, or a time in ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(help="Started before, like --since.")] = None,
    contains: Annotated[str, typer.Option(help="Only with this text in the name, the input or the error.")] = "",
    with_console: Annotated[bool, typer.Option("--with-console", help="Also the console's own.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Maximum number of executions.")] = 20,
    page_token: Annotated[str, typer.Option(help="Continue after an earlier list, which prints its token.")] = "",
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """List executions, newest first. Without --since, express workflows on AWS are listed for the last day."""
    reject_two_formats(as_json, as_csv)
    if page_token and not _PAGE_TOKEN.fullmatch(page_token):
        raise fail("--page-token must be the complete token that an earlier list has printed", 2)
    with reported_errors(), show_status("Searching"):
        query = Query(
            workflow=workflow,
            status=Status(status) if status else None,
            response=parse_response_filter(response_status) if response_status is not None else None,
            error=error or "",
            tenant=tenant or "",
            since=_parse_time("--since", since),
            until=_parse_time("--until", until),
            text=contains,
            from_console=with_console,
            limit=limit,
            page_token=page_token,
        )
        page = Executions(get_deployment(context)).list_page(query)
    rows = map(build_summary_row, page.summaries)
    if as_json:
        print_json(list(rows))
    elif as_csv:
        print_csv(SUMMARY_COLUMNS, rows)
    else:
        _show_page(page)
    if page.next_token:
        options = {
            "--workflow": workflow,
            "--status": status,
            "--response-status": response_status,
            "--error": error,
            "--tenant": tenant,
            "--since": since,
            "--until": until,
            "--contains": contains,
            "--limit": str(limit),
            "--page-token": page.next_token,
        }
        words = [*(["--with-console"] if with_console else []), *_build_options(options)]
        note(f"There may be more; see: {get_command_prefix(context)} executions list {shlex.join(words)}")


def _parse_time(option: str, text: str | None) -> datetime | None:
    return None if text is None else datetime.fromtimestamp(parse_time_option(option, text, int(time.time())), UTC)


def _show_page(page: Page) -> None:
    if not page.summaries:
        say("None so far." if page.next_token else "No executions match.")
        return
    names = execution_text.shorten_names(page.summaries)
    show_table(
        ("execution", "workflow", "status", "started", "duration", "input"),
        [
            (
                name,
                summary.workflow,
                execution_text.render_outcome(summary.status, summary.response_status),
                execution_text.format_time(summary.started),
                execution_text.format_duration(summary.started, summary.stopped),
                summary.input_preview[:_MAX_PREVIEW_LENGTH],
            )
            for name, summary in zip(names, page.summaries, strict=True)
        ],
        numbers=("duration",),
    )


def _build_options(options: Mapping[str, str | None]) -> list[str]:
    return [word for option, value in options.items() if value for word in (option, value)]
