"""``metering usage rules`` and ``metering usage restore``: the rules that cancel usage, and their end."""

import json
from typing import Annotated, Any

import typer

from amberflo_workflows.cli.context import get_api_client, get_deployment, reported_errors
from amberflo_workflows.cli.options import Json, Yes
from amberflo_workflows.cli.output import confirm, require_yes, say, show_status, show_table
from amberflo_workflows.core.ledger.rules import WrittenRule
from amberflo_workflows.operate.ledger.cancellation_rules import build_undo, find_rule, is_undone, list_rules
from amberflo_workflows.operate.usage_report import format_time


def rules(
    context: typer.Context,
    *,
    meter: Annotated[str | None, typer.Option(help="Only rules of this meterApiName.")] = None,
    as_json: Json = False,
) -> None:
    """List the rules that cancel usage by the time of its ingestion, as the ledger has them, the latest first."""
    with reported_errors(), show_status("Reading the ledger"):
        written = list_rules(get_deployment(context), meter)
    if as_json:
        print(json.dumps([_build_facts(rule) for rule in written], indent=2))
        return
    rows = [(rule.rule.id, rule.rule.meter_api_name, *_describe_range(rule), rule.time[:19]) for rule in written]
    if rows:
        show_table(("id", "meter", "ingested from", "ingested before", "created"), rows)
    else:
        say("The ledger has no rules.")


def restore(
    context: typer.Context,
    *,
    rule_id: Annotated[str, typer.Argument(metavar="ID", help="The id of the rule: metering usage rules.")],
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Undo a rule: the usage that it cancelled counts again."""
    require_yes(as_json=as_json, yes=yes)
    with reported_errors():
        with show_status("Reading the ledger"):
            rule = find_rule(get_deployment(context), rule_id)
        start, end = _describe_range(rule)
        usage = f"ALL tenants' usage of {rule.rule.meter_api_name} that was ingested from {start} to {end} UTC"
        confirm(f"Count {usage} again, which the rule {rule_id} cancels?", yes)
        with show_status("Undoing the rule"):
            replaced = get_api_client(context).call("DELETE", "usage", body=build_undo(rule))["data"]
    if as_json:
        print(json.dumps({"rule": replaced}, indent=2))
    else:
        say(f"Undid the rule {rule_id}. It can take hours until Amberflo's reports show it.")


def _describe_range(written: WrittenRule) -> tuple[str, str]:
    if is_undone(written):
        return "undone", ""
    time_range = written.rule.ingestion_time_range
    return format_time(time_range.start_time_in_seconds), format_time(time_range.end_time_in_seconds)


def _build_facts(written: WrittenRule) -> dict[str, Any]:
    time_range = written.rule.ingestion_time_range
    return {
        "id": written.rule.id,
        "meterApiName": written.rule.meter_api_name,
        "startTimeInSeconds": time_range.start_time_in_seconds,
        "endTimeInSeconds": time_range.end_time_in_seconds,
        "created": written.time,
        "isUndone": is_undone(written),
    }
