"""``metering usage cancel``: usage that is not to count, by a rule over a range of time or one by one."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from amberflo_workflows.cli.shared import (
    Json,
    Yes,
    confirm,
    fail,
    get_api_client,
    reported_errors,
    say,
    show_status,
    show_table,
    time_option,
)
from amberflo_workflows.operate.errors import OperatorError

if TYPE_CHECKING:
    from amberflo_workflows.operate.api_client import ApiClient


def cancel(
    context: typer.Context,
    *,
    meter: Annotated[str | None, typer.Argument(metavar="METER", help="Its id or its meterApiName.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Begin of when usage was taken in.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="End, exclusive.")] = None,
    rule_id: Annotated[str | None, typer.Option("--id", help="The rule's; default: from the meter and range.")] = None,
    records: Annotated[
        Path | None, typer.Option(help="Single usages instead, exactly as counted: NDJSON or JSON.")
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Let usage of ALL tenants that was taken in during a range of time no longer count, or single usages."""
    if as_json and not yes:
        raise fail("--json does not show what is taken away, so it does not ask either; add --yes", 2)
    if records is not None:
        if meter or since or until or rule_id:
            raise fail("--records tells what to cancel; it goes without METER, --from, --to and --id", 2)
        _cancel_records(context, records, yes=yes, as_json=as_json)
    elif meter and since and until:
        now = int(time.time())
        between = time_option("--from", since, now), time_option("--to", until, now)
        _cancel_range(context, meter, between, rule_id, yes=yes, as_json=as_json)
    else:
        raise fail("say what to cancel: METER --from TIME --to TIME, or --records FILE", 2)


def _cancel_range(
    context: typer.Context, given: str, between: tuple[int, int], rule_id: str | None, *, yes: bool, as_json: bool
) -> None:
    start, end = between
    if start >= end:
        raise fail("--from must be before --to", 2)
    from amberflo_workflows.operate.cancellation import build_rule  # noqa: PLC0415 - imports msgspec

    with reported_errors():
        with show_status("Asking for the meter"):
            client = get_api_client(context)
            meter = client.meter(given)
        name = meter["meterApiName"]
        rule = build_rule(name, start, end, rule_id)
        if not as_json:
            _show_guess(client, meter, start, end)
            if rule_id:
                say(f"A rule '{rule_id}' that is there already is replaced: what it took away counts again.")
        confirm(f"Cancel ALL tenants' usage of {name} that was taken in then?", yes)
        with show_status("Making the rule"):
            made = client.call("DELETE", "usage", body=rule)["data"]
    if as_json:
        print(json.dumps({"rule": made}, indent=2))
    else:
        say(f"The rule {rule['id']} is made. Amberflo may take hours to show it.")


def _show_guess(client: "ApiClient", meter: dict[str, Any], start: int, end: int) -> None:
    """What the rule takes away, as far as the API can say."""
    from amberflo_workflows.operate.cancellation import estimate_range  # noqa: PLC0415 - imports msgspec
    from amberflo_workflows.operate.usage_report import format_number, format_time  # noqa: PLC0415 - imports msgspec

    now = int(time.time())
    begin, until = format_time(start), format_time(end)
    say(f"ALL tenants' usage of {meter['meterApiName']} that was taken in from {begin} to {until} UTC will not count.")
    if end > now:
        say("That is not over yet: what is taken in until then will not count either.")
    with show_status("Asking for the usage"):
        found = estimate_range(client, meter, start, end, now)
    if found is None:
        return
    say(
        "The API knows usage by its own time only, not by when it was taken in. As a guess, this is what bears a time "
        f"then, by whole {found.interval.lower()}s; of usage that was reported late it tells nothing:"
    )
    rows = [(tenant, format_number(total)) for tenant, total in found.tenants]
    if not found.is_complete:
        rows.append(("…", ""))
    rows.append(("all tenants", format_number(found.total)))
    show_table(("tenant", "usage"), rows, numbers=("usage",))


def _cancel_records(context: typer.Context, path: Path, *, yes: bool, as_json: bool) -> None:
    from amberflo_workflows.core.usage_file import InvalidFile  # noqa: PLC0415 - imports msgspec
    from amberflo_workflows.operate.cancellation import read_records, split_into_calls  # noqa: PLC0415 - as above
    from amberflo_workflows.operate.usage_files import compute_totals  # noqa: PLC0415 - as above
    from amberflo_workflows.operate.usage_report import format_number  # noqa: PLC0415 - imports msgspec

    try:
        usages = read_records(path)
    except InvalidFile as error:
        raise fail(error) from None
    if not as_json:
        rows = [
            (meter, tenant, format_number(total)) for (meter, tenant), total in sorted(compute_totals(usages).items())
        ]
        show_table(("meter", "tenant", "usage"), rows, numbers=("usage",))
    confirm(f"Cancel these {len(usages):,} usages, where they were counted exactly as in the file?", yes)
    cancelled: list[str] = []
    with reported_errors(), show_status("Cancelling") as tell:
        client = get_api_client(context)
        try:
            for records in split_into_calls(usages):
                cancelled += client.call("DELETE", "usage", body={"records": records})["data"]["cancelled"]
                tell(f"Cancelling: {len(cancelled):,} of {len(usages):,}")
        except OperatorError as error:
            so_far = f"{len(cancelled):,} of {len(usages):,} are cancelled; the same command again does them all."
            raise fail(f"{error} {so_far}") from None
    if as_json:
        print(json.dumps({"cancelled": cancelled}))
    else:
        say(f"{len(cancelled):,} cancelled. Amberflo may take hours to show it.")
