"""The form of a meter's definition, to the members of a request and back."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, get_args

import msgspec
from starlette.datastructures import FormData

from amberflo_workflows.console.forms import form_text
from amberflo_workflows.core.meter import MeterType
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.meter_definition import STATUSES

TYPES: Final = {
    "sum_of_all_usage": "The sum of all usage",
    "active_users": "The number of distinct values of a dimension, such as users",
    "event_duration": "The time between a start and an end",
}
# Amberflo may reject them: they are in its older clients only.
OLDER_TYPES: Final = tuple(name for name in get_args(MeterType) if name not in TYPES)
_LISTS: Final = ("dimensions", "aggregationDimensions")
_TEXTS: Final = ("label", "meterApiName", "meterType", "description", "unit")


class MeterForm(NamedTuple):
    """The values of the fields as text; a list has one element per line."""

    label: str = ""
    meterApiName: str = ""  # noqa: N815 - the names of Amberflo's members
    meterType: str = "sum_of_all_usage"  # noqa: N815 - as above
    description: str = ""
    unit: str = ""
    dimensions: str = ""
    aggregationDimensions: str = ""  # noqa: N815 - as above
    useInBilling: str = ""  # noqa: N815 - as above
    lockingStatus: str = "open"  # noqa: N815 - as above

    @classmethod
    def from_meter(cls, meter: Mapping[str, Any]) -> "MeterForm":
        """Return the form of a meter as Amberflo describes it."""
        texts = {name: str(meter.get(name) or "") for name in _TEXTS}
        lists = {name: "\n".join(meter.get(name) or []) for name in _LISTS}
        status = str(meter.get("lockingStatus") or "open")
        return cls(**texts, **lists, useInBilling="on" if meter.get("useInBilling") else "", lockingStatus=status)

    @classmethod
    def parse(cls, form: FormData) -> "MeterForm":
        """Return what a user submitted."""
        return cls(**{name: form_text(form, name).replace("\r\n", "\n").strip() for name in cls._fields})

    @classmethod
    def parse_shown(cls, form: FormData) -> "MeterForm":
        """Return the values that the form had before its user edited them, from :meth:`encode`."""
        try:
            return cls(**msgspec.json.decode(form_text(form, "shown"), type=dict[str, str]))
        except (msgspec.MsgspecError, TypeError):
            raise OperatorError("The form is not complete. Load the page again.") from None

    def encode(self) -> str:
        """Return the values as text, which the form sends back."""
        return msgspec.json.encode(self._asdict()).decode()

    def build_members(self) -> dict[str, Any]:
        """Return the members of a meter with these values."""
        members: dict[str, Any] = {name: getattr(self, name) for name in _TEXTS}
        for name in _LISTS:
            members[name] = [line.strip() for line in getattr(self, name).split("\n") if line.strip()]
        return {**members, "useInBilling": bool(self.useInBilling), "lockingStatus": self.lockingStatus or "open"}

    def build_changes(self, before: "MeterForm") -> dict[str, Any]:
        """Return the members that differ from those shown before, so that what others change meanwhile stays."""
        members, earlier = self.build_members(), before.build_members()
        return {name: value for name, value in members.items() if value != earlier[name]}


def list_next_statuses(status: str) -> list[str]:
    """Return the statuses that a meter may have after this one: itself, and those further down."""
    if status not in STATUSES:
        return [status]
    in_use = ["close_to_changes", "close_to_deletion"]
    return [status, "deprecated"] if status in in_use else list(STATUSES)[list(STATUSES).index(status) :]
