"""A tenant as the SaaS Builder Toolkit's events tell of it, in whichever of their forms.

Onboarding details hold ``tenantRegistrationData``, ``tenantData`` or the tenant's own members; offboarding details a
tenant record or a registration item. So a member is taken from wherever it stands, the outermost first.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from amberflo_workflows.core.names import name_error
from amberflo_workflows.core.usage_record import MAX_TEXT_LENGTH

_DEEPEST: Final = 4
_NAMES: Final = ("tenantName", "companyName", "name")
_EMAILS: Final = ("email", "tenantEmail")


class InvalidTenantEvent(ValueError):
    """The event does not say which tenant it is about; the message says what is missing."""


class Tenant(NamedTuple):
    """What becomes a customer. ``name`` is the id where no name is told; ``email`` and ``tier`` may be empty."""

    id: str
    name: str
    email: str
    tier: str


def parse_tenant(event: Any) -> Tenant:
    """The tenant of an EventBridge event. Raises :class:`InvalidTenantEvent`."""
    detail = event.get("detail") if isinstance(event, dict) else None
    if not isinstance(detail, dict):
        raise InvalidTenantEvent("the event has no detail that is an object")
    objects = list(_objects(detail))
    ids = list(dict.fromkeys(_text(found, ("tenantId",)) for found in objects if _text(found, ("tenantId",))))
    if not ids:
        raise InvalidTenantEvent("there is no tenantId in the event's detail")
    if len(ids) > 1:
        raise InvalidTenantEvent(f"the event's detail names {len(ids)} tenants")
    if len(ids[0]) > MAX_TEXT_LENGTH:
        raise InvalidTenantEvent(f"tenantId has {len(ids[0])} characters, at most {MAX_TEXT_LENGTH} are allowed")
    if fault := name_error(ids[0]):
        raise InvalidTenantEvent(f"tenantId {fault}")
    name = _first(objects, _NAMES) or ids[0]
    return Tenant(ids[0], name, _first(objects, _EMAILS), _first(objects, ("tier",)))


def _objects(detail: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The detail and the objects in it, from the outside in."""
    waiting = deque([(detail, 1)])
    while waiting:
        found, depth = waiting.popleft()
        yield found
        if depth < _DEEPEST:
            waiting.extend((inner, depth + 1) for inner in found.values() if isinstance(inner, dict))


def _first(objects: list[dict[str, Any]], names: tuple[str, ...]) -> str:
    return next((text for found in objects if (text := _text(found, names))), "")


def _text(found: dict[str, Any], names: tuple[str, ...]) -> str:
    """The first of the members that is text, at most 200 characters of it unless it is the id."""
    for name in names:
        value = found.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip() if name == "tenantId" else value.strip()[:MAX_TEXT_LENGTH]
    return ""
