"""Query parameters and headers, from the types that the steps validate them with."""

from collections.abc import Collection, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from amberflo_workflows.core.meter import MeterId
from amberflo_workflows.core.usage_record import MAX_TEXT_LENGTH
from amberflo_workflows.entrypoints.call_identity import MAX_KEY_LENGTH
from amberflo_workflows.tasks.fetch_usage import UsageQuestion
from amberflo_workflows.tasks.list_customers import ListCustomers
from amberflo_workflows.tasks.list_meters import ListMeters
from amberflo_workflows.tasks.list_usage import AllUsageQuestion
from amberflo_workflows.tasks.read_records import MAX_RECORDS, RecordQuestion

Parameter: TypeAlias = dict[str, Any]

# The pattern excludes blank text, which the step rejects.
_FILTER_VALUE: Final = {"type": "string", "minLength": 1, "pattern": r"\S"}
_COMMA_SEPARATED: Final = {"style": "form", "explode": False}
_DESCRIPTIONS: Final = {
    "limit": "Meters per page.",
    "next_token": "The `next_token` of the previous page.",
    "meterApiName": "API name of the meter with this ID. Default: it is looked up. Another name is an error.",
    "startTimeInSeconds": "Seconds since 1970. Default: 24 hours before the end.",
    "endTimeInSeconds": "Seconds since 1970. Default: now.",
    "timeGroupingInterval": "In upper or lower case.",
    "aggregation": "In upper or lower case. Default: the aggregation of the meter.",
    "groupBy": "`customerId` and dimensions, comma separated.",
    "take": "The maximum number of groups, largest first.",
}
_CUSTOMER_DESCRIPTIONS: Final = {
    "limit": "Customers per page.",
    "search": "A part of the id, the name or the email, in upper or lower case.",
}
_ALL_USAGE_DESCRIPTIONS: Final = {
    "groupBy": "By customer.",
    "tenantId": "One tenant. A comma is part of the tenant's ID.",
}
_RECORD_DESCRIPTIONS: Final = {
    "meterApiName": "The name of the meter. Default: it is looked up by the ID, unless the meter was deleted.",
    "tenantId": "The tenant.",
    "startTimeInSeconds": "Seconds since 1970.",
    "endTimeInSeconds": "Seconds since 1970; the end is exclusive.",
    "limit": f"Records per page. Default: {MAX_RECORDS:,}.",
    "next_token": "The `next_token` of the previous page.",
}


def _build_query(
    struct: type, descriptions: Mapping[str, str], required: Collection[str] = ()
) -> tuple[Parameter, ...]:
    """A parameter for each field that is not in the path. A query has no null: it omits the parameter."""
    _, components = msgspec.json.schema_components([struct])
    fields = components[struct.__name__]["properties"]
    return tuple(
        _build_parameter(name, schema, descriptions[name], is_required=name in required)
        for name, schema in fields.items()
        if name != "meterId"
    )


def _build_parameter(name: str, schema: dict[str, Any], description: str, *, is_required: bool) -> Parameter:
    if "anyOf" in schema:
        (schema,) = (option for option in schema["anyOf"] if option != {"type": "null"})
    style = _COMMA_SEPARATED if schema.get("type") == "array" else {}
    required = {"required": True} if is_required else {}
    return {"name": name, "in": "query", "description": description, "schema": schema, **style, **required}


METER_ID: Final[Parameter] = {"name": "meterId", "in": "path", "required": True, "schema": msgspec.json.schema(MeterId)}
OPERATION_ID: Final[Parameter] = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
IDEMPOTENCY_KEY: Final[Parameter] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A new value for each call. A call that is sent again with the same value counts nothing twice: the "
    "key determines the ID and time of the call for 60 days. Each caller has keys of its own. It is a 400 if the API's "
    "authorizer does not tell who calls.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH},
}
CUSTOMER_ID: Final[Parameter] = {
    "name": "customerId",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_LENGTH},
}
LIST_CUSTOMERS: Final = _build_query(ListCustomers, {**_DESCRIPTIONS, **_CUSTOMER_DESCRIPTIONS})
LIST_METERS: Final = _build_query(ListMeters, _DESCRIPTIONS)
LIST_USAGE: Final = _build_query(AllUsageQuestion, {**_DESCRIPTIONS, **_ALL_USAGE_DESCRIPTIONS})
LIST_RECORDS: Final = _build_query(
    RecordQuestion, _RECORD_DESCRIPTIONS, required=("tenantId", "startTimeInSeconds", "endTimeInSeconds")
)
FETCH_USAGE: Final = (
    *_build_query(UsageQuestion, _DESCRIPTIONS),
    {
        "name": "tenantId",
        "in": "query",
        "description": "The same as `filter.customerId`. Repeat the parameter for several tenants. A comma is part of "
        "the tenant's ID.",
        "schema": {"type": "array", "items": _FILTER_VALUE, "minItems": 1},
        "style": "form",
        "explode": True,
    },
    {
        # Each member of the object is a separate parameter with the name of the member.
        "name": "filter",
        "in": "query",
        "description": "`filter.KEY=VALUE`: `KEY` is `customerId` or a dimension. Repeat the parameter for several "
        "values of a key. A comma is part of the value. All filters must match.",
        "style": "form",
        "explode": True,
        "schema": {
            "type": "object",
            "propertyNames": {"pattern": r"^filter\.."},
            "additionalProperties": _FILTER_VALUE,
        },
    },
)
