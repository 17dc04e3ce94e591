"""A meter as callers define it. Fields and types are those of Amberflo's meter reference."""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from amberflo_workflows.core.response import PayloadTooLarge, json_size

# Letters, digits and ``-_.``, at most 50 of them: what Amberflo is known to take. To Python ``$`` is also the place
# before a last line break, and ``\Z`` is nothing to JSON Schema.
ApiName = Annotated[str, Meta(min_length=1, max_length=50, pattern=r"^[A-Za-z0-9._-]+$(?!\n)")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
# Of dots alone it would climb in the path that it becomes a part of: `requests` undoes their escaping.
MeterId = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"[^.]")]

# The first three are in today's reference; the rest only in older clients, so Amberflo itself decides on them.
MeterType = Literal[
    "sum_of_all_usage",
    "active_users",
    "event_duration",
    "max_usage",
    "running_total",
    "unique_count",
    "duration_snapshot",
]
LockingStatus = Literal["open", "close_to_changes", "close_to_deletion", "deprecated"]

# What Amberflo adds to a meter. A meter that was read may be changed and sent back whole, so these are
# dropped rather than refused.
READ_ONLY_FIELDS: Final = frozenset(
    {
        "accountId",
        "replicatedFromAccountId",
        "aggregation",
        "eventType",
        "unitOfUsage",
        "ultraFrequencyUniqueMeter",
        "statistics",
        "dimensionMetadata",
        "dimensionValuePatterns",
        "createTime",
        "updateTime",
    }
)


class MeterFields(Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What a caller may set; what is unset is left to Amberflo. ``id`` is Amberflo's to give."""

    id: str | UnsetType | None = UNSET
    label: Name | UnsetType = UNSET
    meter_api_name: ApiName | UnsetType = UNSET
    meter_type: MeterType | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    timeout_in_minutes: Annotated[int, Meta(ge=0)] | UnsetType | None = UNSET
    dimensions: list[Name] | UnsetType | None = UNSET
    aggregation_dimensions: list[Name] | UnsetType | None = UNSET
    squash_sum_meter: bool | UnsetType | None = UNSET
    seat_based: bool | UnsetType | None = UNSET
    shared_with_partners: bool | UnsetType | None = UNSET
    enabled: bool | UnsetType | None = UNSET
    use_in_billing: bool | UnsetType | None = UNSET
    deduplication_config: dict[str, Any] | UnsetType | None = UNSET
    view_rescale_function: Any = UNSET
    view_grouping_function: Any = UNSET
    view_grouping_interval: Any = UNSET
    locking_status: LockingStatus | UnsetType = UNSET
    unit: str | UnsetType | None = UNSET


class NewMeter(MeterFields, kw_only=True):
    """A meter to create: the three fields that Amberflo needs, and any others."""

    label: Name
    meter_api_name: ApiName
    meter_type: MeterType


# Far above any definition that is known, and so small that a workflow can carry a change and the meter as it is,
# 262,144 bytes in all.
MAX_REQUEST_BYTES: Final = 100_000
MAX_METER_BYTES: Final = 140_000


class MeterReference(Struct, rename="camel"):
    """Which meter. Other members are left alone: workflows that look a meter up pass their whole request."""

    meter_id: MeterId


def parse_meter_reference(request: Any) -> MeterReference:
    """The meter that a request is about. Raises ``msgspec.ValidationError`` and :class:`PayloadTooLarge`."""
    _check_size(request)
    return msgspec.convert(request, MeterReference)


def parse_new_meter(request: Any) -> NewMeter:
    """The meter of a create request. Raises ``msgspec.ValidationError`` and :class:`PayloadTooLarge`."""
    _check_size(request)
    meter = msgspec.convert(_writable(request), NewMeter)
    if meter.meter_type == "active_users" and not meter.aggregation_dimensions:
        raise msgspec.ValidationError(
            "A meter of type `active_users` needs at least one - at `$.aggregationDimensions`"
        )
    # Some meter types refuse a missing or null list (observed on the live API by a third-party client).
    meter.dimensions = meter.dimensions or []
    meter.aggregation_dimensions = meter.aggregation_dimensions or []
    meter.id = UNSET
    return meter


def parse_meter_changes(request: Any) -> MeterFields:
    """The fields that an update request sets. Raises ``msgspec.ValidationError``."""
    return msgspec.convert(_writable(request), MeterFields)


def is_meter(found: object) -> bool:
    """Whether Amberflo's answer to a look-up is a meter; ``{}``, nothing and a list all mean that there is none."""
    return isinstance(found, dict) and bool(found.get("meterApiName"))


def writable_fields(meter: dict[str, Any]) -> dict[str, Any]:
    """A meter as read, less what only Amberflo sets."""
    return {key: value for key, value in meter.items() if key not in READ_ONLY_FIELDS}


def _check_size(request: Any) -> None:
    size = json_size(request)
    if size > MAX_REQUEST_BYTES:
        raise PayloadTooLarge(f"A request about a meter may have {MAX_REQUEST_BYTES:,} bytes; this one has {size:,}.")


def _writable(request: Any) -> Any:
    return writable_fields(request) if isinstance(request, dict) else request
