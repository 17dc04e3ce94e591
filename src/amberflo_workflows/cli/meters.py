"""``metering meters``: list, create, show, update and delete meters, through the HTTP API."""

import json
from typing import Annotated, Any

import typer

from amberflo_workflows.cli.context import get_api_client, reported_errors
from amberflo_workflows.cli.options import Json, Meter, Yes
from amberflo_workflows.cli.output import confirm, fail, require_yes, say, show_fields, show_status, show_table
from amberflo_workflows.core.meter import LockingStatus, MeterType
from amberflo_workflows.operate.meter_definition import check_changes, check_new_meter

app = typer.Typer(no_args_is_help=True, add_completion=False, help="List, create, show, update and delete meters.")

Dimensions = Annotated[list[str] | None, typer.Option("--dimension", help="A dimension; can be repeated.")]
AggregationDimensions = Annotated[
    list[str] | None,
    typer.Option("--aggregation-dimension", help="A dimension whose values active_users counts; can be repeated."),
]


@app.command("list")
def list_(context: typer.Context, *, as_json: Json = False) -> None:
    """List all meters, sorted by name."""
    with reported_errors(), show_status("Fetching the meters"):
        meters = list(get_api_client(context).list_meters())
    if as_json:
        print(json.dumps(meters, indent=2))
    elif meters:
        columns = ("name", "type", "label", "status", "id")
        members = ("meterApiName", "meterType", "label", "lockingStatus", "id")
        show_table(columns, [[meter.get(member, "") for member in members] for meter in meters])
    else:
        say("There are no meters. Create one with: metering meters create LABEL --name NAME --type TYPE")


@app.command()
def create(
    context: typer.Context,
    *,
    label: Annotated[str, typer.Argument(metavar="LABEL", help="The display name; must be unique.")],
    name: Annotated[str, typer.Option(help="The meterApiName, by which usage refers to the meter.")],
    kind: Annotated[MeterType, typer.Option("--type", help="How usage is aggregated.")],
    dimensions: Dimensions = None,
    aggregation_dimensions: AggregationDimensions = None,
    description: Annotated[str | None, typer.Option(help="A description for people.")] = None,
    as_json: Json = False,
) -> None:
    """Create a meter."""
    meter: dict[str, Any] = {
        "label": label,
        "meterApiName": name,
        "meterType": kind,
        "dimensions": dimensions or [],
        "aggregationDimensions": aggregation_dimensions or [],
    }
    if description:
        meter["description"] = description
    with reported_errors(), show_status("Creating the meter"):
        check_new_meter(meter)
        created = get_api_client(context).call("POST", "meters", body=meter)["data"]
    _show(created, as_json)


@app.command()
def show(context: typer.Context, *, meter_id: Meter, as_json: Json = False) -> None:
    """Show a meter with all its fields."""
    with reported_errors(), show_status("Fetching the meter"):
        meter = get_api_client(context).get_meter(meter_id)
    _show(meter, as_json)


@app.command()
def update(
    context: typer.Context,
    *,
    meter_id: Meter,
    label: Annotated[str | None, typer.Option(help="The display name; must be unique.")] = None,
    name: Annotated[str | None, typer.Option(help="The meterApiName, while the meter is open.")] = None,
    description: Annotated[str | None, typer.Option(help="A description for people; may be empty.")] = None,
    unit: Annotated[str | None, typer.Option(help="The unit, such as GB; may be empty.")] = None,
    dimensions: Dimensions = None,
    aggregation_dimensions: AggregationDimensions = None,
    status: Annotated[LockingStatus | None, typer.Option(help="A later status; deprecated is final.")] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Change the fields of a meter that have an option, and no others. A dimension replaces all of its kind."""
    options = {
        "label": label,
        "meterApiName": name,
        "description": description,
        "unit": unit,
        "dimensions": dimensions or None,
        "aggregationDimensions": aggregation_dimensions or None,
        "lockingStatus": status,
    }
    changes = {member: value for member, value in options.items() if value is not None}
    if not changes:
        raise fail("set what to change, such as --label; see --help", 2)
    if status:
        require_yes(as_json=as_json, yes=yes)
    with reported_errors():
        check_changes(changes)
        with show_status("Fetching the meter"):
            client = get_api_client(context)
            meter = client.get_meter(meter_id)
        if status and status != meter.get("lockingStatus"):
            confirm(f"Set the status of {meter.get('meterApiName')} to {status}? It cannot be set back.", yes)
        with show_status("Changing the meter"):
            changed = client.call("PUT", "meters", meter["id"], body=changes)["data"]
    _show(changed, as_json)


@app.command()
def delete(context: typer.Context, *, meter_id: Meter, yes: Yes = False, as_json: Json = False) -> None:
    """Deprecate and delete a meter. This cannot be undone. Its usage stays."""
    require_yes(as_json=as_json, yes=yes)
    with reported_errors():
        with show_status("Fetching the meter"):
            client = get_api_client(context)
            meter = client.get_meter(meter_id)
        title = f"{meter.get('meterApiName')} ({meter.get('label')}, id {meter['id']})"
        confirm(f"Delete the meter {title}? This cannot be undone. Its usage stays.", yes)
        with show_status("Deleting the meter"):
            client.call("DELETE", "meters", meter["id"])
    if as_json:
        print(json.dumps({"id": meter["id"], "meterApiName": meter.get("meterApiName")}))
    else:
        say(f"Deleted {title}.")


def _show(meter: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(meter, indent=2))
    else:
        show_fields(meter)
