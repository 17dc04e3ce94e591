"""``metering meters``: list, create, show and delete meters, by the HTTP API."""

import json
from typing import Annotated, Any

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
)
from amberflo_workflows.core.meter import MeterType

app = typer.Typer(no_args_is_help=True, help="Meters: list, create, show, delete.")

Given = Annotated[str, typer.Argument(metavar="METER", help="Its id or its meterApiName.")]
Dimensions = Annotated[list[str] | None, typer.Option("--dimension", help="A dimension; may be repeated.")]
AggregationDimensions = Annotated[
    list[str] | None, typer.Option("--aggregation-dimension", help="What active_users counts; may be repeated.")
]


@app.command("list")
def list_(context: typer.Context, *, as_json: Json = False) -> None:
    """All meters, by name."""
    with reported_errors(), show_status("Asking for the meters"):
        meters = list(get_api_client(context).meters())
    if as_json:
        print(json.dumps(meters, indent=2))
    elif meters:
        columns = ("name", "type", "label", "status", "id")
        members = ("meterApiName", "meterType", "label", "lockingStatus", "id")
        show_table(columns, [[meter.get(member, "") for member in members] for meter in meters])
    else:
        say("There are no meters. Make one with: metering meters create LABEL --name NAME --type TYPE")


@app.command()
def create(
    context: typer.Context,
    *,
    label: Annotated[str, typer.Argument(metavar="LABEL", help="For people; no other meter may have it.")],
    name: Annotated[str, typer.Option(help="Its meterApiName: what usage names it by.")],
    kind: Annotated[MeterType, typer.Option("--type", help="How its usage adds up.")],
    dimensions: Dimensions = None,
    aggregation_dimensions: AggregationDimensions = None,
    description: Annotated[str | None, typer.Option(help="For people.")] = None,
    as_json: Json = False,
) -> None:
    """Make a meter."""
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
        made = get_api_client(context).call("POST", "meters", body=meter)["data"]
    _show(made, as_json)


@app.command()
def show(context: typer.Context, *, meter: Given, as_json: Json = False) -> None:
    """One meter, whole."""
    with reported_errors(), show_status("Asking for the meter"):
        found = get_api_client(context).meter(meter)
    _show(found, as_json)


@app.command()
def delete(context: typer.Context, *, meter: Given, yes: Yes = False, as_json: Json = False) -> None:
    """Deprecate and delete a meter; that cannot be undone. Its usage stays."""
    if as_json and not yes:
        raise fail("--json does not ask; add --yes", 2)
    with reported_errors():
        with show_status("Asking for the meter"):
            client = get_api_client(context)
            found = client.meter(meter)
        named = f"{found.get('meterApiName')} ({found.get('label')}, id {found['id']})"
        confirm(f"Delete the meter {named}? This cannot be undone; what was counted stays.", yes)
        with show_status("Deleting the meter"):
            client.call("DELETE", "meters", found["id"])
    if as_json:
        print(json.dumps({"id": found["id"], "meterApiName": found.get("meterApiName")}))
    else:
        say(f"Deleted {named}.")


def _show(meter: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(meter, indent=2))
        return
    show_table(
        ("field", "value"),
        [(field, value if isinstance(value, str) else json.dumps(value)) for field, value in sorted(meter.items())],
    )
