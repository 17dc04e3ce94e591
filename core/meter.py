"""A meter as callers define it. Fields and types are those of Amberflo's meter reference."""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from amberflo_workflows.core.canonical import normalize_text
from amberflo_workflows.core.response import PayloadTooLarge, json_size

# Letters, digits and ``-_.``, at most 50 of them: what Amberflo is known to accept. The lookahead is there because
# ``$`` in Python also matches before a last line break, and JSON Schema does not know ``\Z``.
ApiName = Annotated[str, Meta(min_length=1, max_length=50, pattern=r"^[A-Za-z0-9._-]+$(?!\n)")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
# An id of dots alone would change the path that it becomes part of: `requests` undoes the escaping of dots.
MeterId = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"[^.]")]

# The first three are in the current reference. The others are only in older clients, so Amberflo decides on them.
MeterType = Literal[
    "sum_of_all_usage",
    "active_users",
    "event_duration",
    "max_usage",
    "running_total",
    "unique_count",
    "duration_snapshot",
]
# Those whose values can be added up. A sum of maximums, levels or distinct counts has no meaning.
ADDITIVE_METER_TYPES: Final = frozenset({"sum_of_all_usage", "event_duration"})
LockingStatus = Literal["open", "close_to_changes", "close_to_deletion", "deprecated"]

# Fields that only Amberflo sets. A caller may read a meter, change it and send it back completely, so these are ignored
# and not rejected.
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
    """The fields that a caller may set. Amberflo decides on the others, and assigns the ``id``."""

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

    def __post_init__(self) -> None:
        """Name dimensions as the records of usage do."""
        if isinstance(self.dimensions, list):
            self.dimensions = [normalize_text(name) for name in self.dimensions]
        if isinstance(self.aggregation_dimensions, list):
            self.aggregation_dimensions = [normalize_text(name) for name in self.aggregation_dimensions]


class NewMeter(MeterFields, kw_only=True):
    """A meter to create: the three fields that Amberflo requires, and any others."""

    label: Name
    meter_api_name: ApiName
    meter_type: MeterType


# Far above any known definition, and small enough for a workflow to carry a change and the current meter: 262,144 bytes
# in all.
MAX_REQUEST_BYTES: Final = 100_000
MAX_METER_BYTES: Final = 140_000


class MeterReference(Struct, rename="camel"):
    """The id of a meter. Other members are ignored: workflows that look up a meter pass their complete request."""

    meter_id: MeterId


def parse_meter_reference(request: Any) -> MeterReference:
    """Return the meter that a request refers to. Raises ``msgspec.ValidationError`` and :class:`PayloadTooLarge`."""
    _check_size(request)
    return msgspec.convert(request, MeterReference)


def parse_new_meter(request: Any) -> NewMeter:
    """Return the meter of a create request. Raises ``msgspec.ValidationError`` and :class:`PayloadTooLarge`."""
    _check_size(request)
    meter = msgspec.convert(_without_read_only(request), NewMeter)
    if meter.meter_type == "active_users" and not meter.aggregation_dimensions:
        raise msgspec.ValidationError(
            "A meter of type `active_users` requires at least one - at `$.aggregationDimensions`"
        )
    # For some meter types Amberflo rejects a missing or null list (a third-party client saw this on the live API).
    meter.dimensions = meter.dimensions or []
    meter.aggregation_dimensions = meter.aggregation_dimensions or []
    meter.id = UNSET
    return meter


def parse_meter_changes(request: Any) -> MeterFields:
    """Return the fields that an update request sets. Raises ``msgspec.ValidationError``."""
    return msgspec.convert(_without_read_only(request), MeterFields)


def is_meter(response: object) -> bool:
    """Whether a response of Amberflo is a meter. For a meter that does not exist it may be ``{}``, empty or a list."""
    return isinstance(response, dict) and bool(response.get("meterApiName"))


def writable_fields(meter: dict[str, Any]) -> dict[str, Any]:
    """Return a meter as read, without the fields that only Amberflo sets."""
    return {name: value for name, value in meter.items() if name not in READ_ONLY_FIELDS}


def _check_size(request: Any) -> None:
    size = json_size(request)
    if size > MAX_REQUEST_BYTES:
        raise PayloadTooLarge(f"The request has {size:,} bytes; the limit for a meter is {MAX_REQUEST_BYTES:,}.")


def _without_read_only(request: Any) -> Any:
    return writable_fields(request) if isinstance(request, dict) else request
