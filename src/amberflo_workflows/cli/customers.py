"""``metering customers``: the customers that tenants have in Amberflo, through the HTTP API."""

import json
from typing import Annotated

import typer

from amberflo_workflows.cli.context import get_api_client, reported_errors
from amberflo_workflows.cli.options import Json
from amberflo_workflows.cli.output import say, show_fields, show_status, show_table

app = typer.Typer(no_args_is_help=True, add_completion=False, help="List and show the customers of tenants.")

_COLUMNS = {"id": "customerId", "name": "customerName", "email": "customerEmail", "stage": "lifecycleStage"}
_TRAITS = {"onboarded": "onboardedAt", "offboarded": "offboardedAt"}


@app.command("list")
def list_(
    context: typer.Context,
    *,
    search: Annotated[str, typer.Option(help="A part of the id, the name or the email.")] = "",
    as_json: Json = False,
) -> None:
    """List the customers, sorted by id."""
    with reported_errors(), show_status("Fetching the customers"):
        customers = list(get_api_client(context).list_customers(search))
    if as_json:
        print(json.dumps(customers, indent=2))
    elif customers:
        rows = [
            [
                *(customer.get(member) or "" for member in _COLUMNS.values()),
                *((customer.get("traits") or {}).get(trait, "") for trait in _TRAITS.values()),
            ]
            for customer in customers
        ]
        show_table((*_COLUMNS, *_TRAITS), rows)
    elif search:
        say(f"No customer has '{search}' in its id, name or email.")
    else:
        say("There are no customers. An onboarding event creates one: docs/sbt.md.")


@app.command()
def show(
    context: typer.Context,
    *,
    customer_id: Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's id.")],
    as_json: Json = False,
) -> None:
    """Show a customer with all its fields."""
    with reported_errors(), show_status("Fetching the customer"):
        customer = get_api_client(context).get_customer(customer_id)
    if as_json:
        print(json.dumps(customer, indent=2))
    else:
        show_fields(customer)
