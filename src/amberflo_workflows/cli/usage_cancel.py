"""``metering usage cancel``: cancel usage with a rule over a range of time, or single usages."""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from amberflo_workflows.cli.context import get_api_client, reported_errors
from amberflo_workflows.cli.options import Json, Yes, parse_time_option
from amberflo_workflows.cli.output import confirm, fail, require_yes, say, show_status, show_table
from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.cancellation import build_rule, estimate_range, read_records, split_into_calls
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.record_totals import compare_totals, fetch_record_totals
from amberflo_workflows.operate.usage_files import Totals, Usage, compute_totals
from amberflo_workflows.operate.usage_report import format_number, format_time


def cancel(
    context: typer.Context,
    *,
    meter: Annotated[str | None, typer.Argument(metavar="METER", help="The meter's id or meterApiName.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="Start of the ingestion time.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End of the ingestion time, exclusive.")] = None,
    rule_id: Annotated[
        str | None, typer.Option("--id", help="Id of the rule. Default: built from the meter and the range.")
    ] = None,
    records: Annotated[
        Path | None, typer.Option(help="Cancel the usages in this NDJSON or JSON file, exactly as they were counted.")
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Cancel the usage of ALL tenants that was ingested during a range of time, or single usages."""
    require_yes(as_json=as_json, yes=yes)
    if records is not None:
        if meter or start or end or rule_id:
            raise fail("--records cannot be used with METER, --from, --to or --id", 2)
        _cancel_records(context, records, yes=yes, as_json=as_json)
    elif meter and start and end:
        now = int(time.time())
        time_range = parse_time_option("--from", start, now), parse_time_option("--to", end, now)
        _cancel_range(context, meter, time_range, rule_id, yes=yes, as_json=as_json)
    else:
        raise fail("METER --from TIME --to TIME, or --records FILE, is required", 2)


def _cancel_range(
    context: typer.Context, meter_id: str, time_range: tuple[int, int], rule_id: str | None, *, yes: bool, as_json: bool
) -> None:
    start, end = time_range
    if start >= end:
        raise fail("--from must be before --to", 2)
    with reported_errors():
        with show_status("Fetching the meter"):
            client = get_api_client(context)
            meter = client.get_meter(meter_id)
        name = meter["meterApiName"]
        # The person, or --yes, confirms a range that ends in the future.
        rule = build_rule(name, start, end, rule_id, allow_future=end > int(time.time()))
        if not as_json:
            _show_estimate(client, meter, start, end)
            if rule_id:
                say(f"If a rule '{rule_id}' exists, it is replaced, and the usage that it cancelled counts again.")
        confirm(f"Cancel ALL tenants' usage of {name} that was ingested in this range?", yes)
        with show_status("Creating the rule"):
            created = client.call("DELETE", "usage", body=rule)["data"]
    if as_json:
        print(json.dumps({"rule": created}, indent=2))
    else:
        say(f"Created the rule {rule['id']}. It can take hours until Amberflo's reports show it.")


def _show_estimate(client: ApiClient, meter: dict[str, Any], start: int, end: int) -> None:
    """Show an estimate of the usage that the rule cancels, since the API does not know usage by ingestion time."""
    now = int(time.time())
    say(
        f"This cancels ALL tenants' usage of {meter['meterApiName']} that was ingested from {format_time(start)} to "
        f"{format_time(end)} UTC."
    )
    if end > now:
        say("The range ends in the future: usage that is ingested until then is cancelled as well.")
    with show_status("Fetching the usage"):
        estimate = estimate_range(client, meter, start, end, now)
    if estimate is None:
        return
    say(
        "Amberflo's API reports usage by its own time, not by ingestion time. As an estimate, this is the usage with a "
        f"time in the range, in full {estimate.interval.lower()}s. It does not show usage that was reported late:"
    )
    rows = [(tenant, format_number(total)) for tenant, total in estimate.tenants]
    if not estimate.is_complete:
        rows.append(("…", ""))
    rows.append(("all tenants", format_number(estimate.total)))
    show_table(("tenant", "usage"), rows, numbers=("usage",))


def _cancel_records(context: typer.Context, path: Path, *, yes: bool, as_json: bool) -> None:
    try:
        usages = read_records(path)
    except InvalidFile as error:
        raise fail(error) from None
    if not as_json:
        totals = sorted(compute_totals(usages).items())
        rows = [(meter, tenant, format_number(total)) for (meter, tenant), total in totals]
        show_table(("meter", "tenant", "usage"), rows, numbers=("usage",))
    confirm(f"Cancel these {len(usages):,} usages? Only usage that equals its record in the file is cancelled.", yes)
    cancelled: list[str] = []
    now = int(time.time())
    with reported_errors(), show_status("Cancelling") as report:
        client = get_api_client(context)
        before = None if as_json else fetch_record_totals(client, usages, now)
        try:
            for records in split_into_calls(usages):
                cancelled += client.call("DELETE", "usage", body={"records": records})["data"]["cancelled"]
                report(f"Cancelling: {len(cancelled):,} of {len(usages):,}")
        except OperatorError as error:
            progress = f"{len(cancelled):,} of {len(usages):,} are cancelled. Repeat the command to cancel them all."
            raise fail(f"{error} {progress}") from None
        after = None if before is None else fetch_record_totals(client, usages, now)
    if as_json:
        print(json.dumps({"cancelled": cancelled}))
    else:
        _show_result(usages, before, after)


def _show_result(usages: list[Usage], before: Totals | None, after: Totals | None) -> None:
    """Show whether the totals decreased as expected. Only they can tell whether the records matched."""
    sent = f"Sent the cancellation of {len(usages):,} usages. Amberflo does not tell whether it had these records."
    check = "Check the totals with 'usage fetch'; it can take hours until they change."
    if before is None or after is None:
        say(f"{sent} {check}")
        return
    changes = compare_totals(usages, before, after)
    unexpected = [change for change in changes if not change.is_expected]
    if not unexpected:
        say(f"Cancelled {len(usages):,} usages. The totals decreased by their values.")
        return
    say(sent)
    if all(change.before == change.after for change in changes):
        say("No total changed: so far, nothing matched.")
    rows = [(change[0], change[1], *map(format_number, change[2:])) for change in unexpected]
    columns = ("to cancel", "total before", "total after")
    say("These totals of the usages' time did not decrease by what was to be cancelled:")
    show_table(("meter", "tenant", *columns), rows, numbers=columns)
    say(
        "It can take hours until Amberflo's reports show a cancellation, and other usage may have been counted or "
        "cancelled before. If 'usage fetch' shows the same totals later, nothing matched: a record matches only with "
        "the same tenant, meter, value, time, uniqueId and dimensions."
    )
