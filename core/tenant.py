"""The tenant of the SaaS Builder Toolkit's onboarding and offboarding events, in any of their formats.

Onboarding details have ``tenantRegistrationData``, ``tenantData`` or the tenant's own members; offboarding details
have a tenant record or a registration item. So a member is taken from any object in the detail, the outermost first.
"""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from amberflo_workflows.core.canonical import normalize_text
from amberflo_workflows.core.names import find_name_error
from amberflo_workflows.core.usage_record import MAX_TEXT_LENGTH, InvalidUsage, parse_time_in_millis

MAX_LEVELS: Final = 4
_NAME_MEMBERS: Final = ("tenantName", "companyName", "name")
_EMAIL_MEMBERS: Final = ("email", "tenantEmail")


class InvalidTenantEvent(ValueError):
    """The event does not name its tenant; the message says what is missing."""


class Tenant(NamedTuple):
    """A tenant, for which a customer is created. ``name`` defaults to the id; ``email`` and ``tier`` may be empty.

    ``event_time`` is when the event was sent, in ISO 8601 with milliseconds and in UTC, so that later texts are
    greater; empty if the event does not tell.
    """

    id: str
    name: str
    email: str
    tier: str
    event_time: str = ""


def parse_tenant(event: Any) -> Tenant:
    """Return the tenant of an EventBridge event. Raises :class:`InvalidTenantEvent`."""
    detail = event.get("detail") if isinstance(event, dict) else None
    if not isinstance(detail, dict):
        raise InvalidTenantEvent("the event has no detail that is an object")
    objects = list(_iterate_objects(detail))
    ids = list(dict.fromkeys(tenant_id for inner in objects if (tenant_id := _read_text(inner, ("tenantId",)))))
    if not ids:
        raise InvalidTenantEvent("there is no tenantId in the event's detail")
    if len(ids) > 1:
        raise InvalidTenantEvent(f"the event's detail names {len(ids)} tenants")
    if len(ids[0]) > MAX_TEXT_LENGTH:
        raise InvalidTenantEvent(f"tenantId has {len(ids[0])} characters, at most {MAX_TEXT_LENGTH} are allowed")
    if error := find_name_error(ids[0]):
        raise InvalidTenantEvent(f"tenantId {error}")
    name = _read_first_text(objects, _NAME_MEMBERS) or ids[0]
    email, tier = _read_first_text(objects, _EMAIL_MEMBERS), _read_first_text(objects, ("tier",))
    return Tenant(ids[0], name, email, tier, _read_event_time(event))


def format_millis(millis: int) -> str:
    """Return epoch milliseconds in the format of :attr:`Tenant.event_time`."""
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds")


def _read_event_time(event: dict[str, Any]) -> str:
    try:
        return format_millis(parse_time_in_millis(str(event.get("time"))))
    except (InvalidUsage, ValueError, OverflowError, OSError):
        return ""


def _iterate_objects(detail: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the detail and the objects in it, breadth first."""
    queue = deque([(detail, 1)])
    while queue:
        outer, level = queue.popleft()
        yield outer
        if level < MAX_LEVELS:
            queue.extend((inner, level + 1) for inner in outer.values() if isinstance(inner, dict))


def _read_first_text(objects: list[dict[str, Any]], members: tuple[str, ...]) -> str:
    return next((text for inner in objects if (text := _read_text(inner, members))), "")


def _read_text(source: dict[str, Any], members: tuple[str, ...]) -> str:
    """Return the first of the members that is text, cut to 200 characters unless it is the id, or an empty text."""
    for member in members:
        value = source.get(member)
        if isinstance(value, str) and value.strip():
            text = normalize_text(value.strip())
            return text if member == "tenantId" else text[:MAX_TEXT_LENGTH]
    return ""
