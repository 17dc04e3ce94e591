"""Query parameters and headers, from the types that the steps judge them by."""

from typing import Any, Final, TypeAlias

import msgspec

from amberflo_workflows.core.meter import MeterId
from amberflo_workflows.entrypoints.call_identity import MAX_KEY_LENGTH
from amberflo_workflows.tasks.fetch_usage import UsageQuestion
from amberflo_workflows.tasks.list_meters import ListMeters

Parameter: TypeAlias = dict[str, Any]

_LISTED: Final = {"style": "form", "explode": False}
_DESCRIPTIONS: Final = {
    "limit": "Meters on a page.",
    "next_token": "What the page before gave.",
    "meterApiName": "The meter by name; without it the id is looked up.",
    "startTimeInSeconds": "Seconds since 1970; default: 24 hours before the end.",
    "endTimeInSeconds": "Seconds since 1970; default: now.",
    "timeGroupingInterval": "In upper or lower case.",
    "aggregation": "In upper or lower case; default: the meter's own.",
    "groupBy": "`customerId` and dimensions, comma separated.",
    "take": "Only so many groups, the largest first.",
}


def _query_of(struct: type) -> tuple[Parameter, ...]:
    """A parameter for each field that is not in the path. A query has no null: it leaves the parameter out."""
    _, components = msgspec.json.schema_components([struct])
    fields = components[struct.__name__]["properties"]
    return tuple(_parameter(name, schema) for name, schema in fields.items() if name != "meterId")


def _parameter(name: str, schema: dict[str, Any]) -> Parameter:
    if "anyOf" in schema:
        (schema,) = (one for one in schema["anyOf"] if one != {"type": "null"})
    listed = _LISTED if schema.get("type") == "array" else {}
    return {"name": name, "in": "query", "description": _DESCRIPTIONS[name], "schema": schema, **listed}


METER_ID: Final[Parameter] = {"name": "meterId", "in": "path", "required": True, "schema": msgspec.json.schema(MeterId)}
IDEMPOTENCY_KEY: Final[Parameter] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Anew for each call, the same for its repetition, which then counts nothing twice. It stands for "
    "the identity and time of the call for 60 days, and belongs to the caller of the token.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH},
}
LIST_METERS: Final = _query_of(ListMeters)
FETCH_USAGE: Final = (
    *_query_of(UsageQuestion),
    {
        "name": "tenantId",
        "in": "query",
        "description": "Short for `filter.customerId`.",
        "schema": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        **_LISTED,
    },
    {
        # Each member of the object is a parameter of its own, by its own name.
        "name": "filter",
        "in": "query",
        "description": "`filter.KEY=VALUES`: `KEY` is `customerId` or a dimension, the values are comma separated; "
        "several keys must all match.",
        "style": "form",
        "explode": True,
        "schema": {
            "type": "object",
            "propertyNames": {"pattern": r"^filter\.."},
            "additionalProperties": {"type": "string", "minLength": 1},
        },
    },
)
