"""Whether a meter exists for a usage, and the reason for the person who fixes a usage whose meter does not exist."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Final

import msgspec

from amberflo_workflows.core.meter import ApiName, is_meter
from amberflo_workflows.core.names import find_name_error
from amberflo_workflows.core.reported_usage import truncate_reason
from amberflo_workflows.core.usage_record import MAX_METER_NAME_LENGTH, InvalidUsage, UsageRecord

# To find the nearest of a thousand names takes milliseconds. A flood of unknown names must not take longer than a state
# may, so the reasons of the others have no suggestion.
MAX_SUGGESTIONS: Final = 20
_MIN_SIMILARITY: Final = 0.6


@dataclass(frozen=True)
class KnownMeters:
    """The API names of an account's meters, as of one list of them."""

    names: frozenset[str] = frozenset()
    # By unknown name. Only those with a suggestion are stored.
    _reasons: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_meters(cls, meters: Iterable[Any]) -> "KnownMeters":
        """Return the names in a list of meters as Amberflo and the API return it; what is not a meter is ignored."""
        names = (meter["meterApiName"] for meter in meters if is_meter(meter))
        return cls(frozenset(name for name in names if isinstance(name, str)))

    def find_error(self, name: str) -> str:
        """Return why usage under ``name`` would not be counted, or an empty text if there is such a meter."""
        if name in self.names:
            return ""
        if name not in self._reasons and len(self._reasons) < MAX_SUGGESTIONS:
            self._reasons[name] = _describe(name, self._find_nearest(name))
        return self._reasons.get(name) or _describe(name, "")

    def check(self, record: UsageRecord) -> None:
        """Raise :class:`InvalidUsage` if there is no meter for a record."""
        if error := self.find_error(record.meter_api_name):
            raise InvalidUsage(error)

    def _find_nearest(self, name: str) -> str:
        """Return the most similar name, regardless of case, or an empty text if none is similar."""
        nearest = get_close_matches(name.casefold(), self._by_folded_name, n=1, cutoff=_MIN_SIMILARITY)
        return self._by_folded_name[nearest[0]] if nearest else ""

    @cached_property
    def _by_folded_name(self) -> dict[str, str]:
        # A name that usage cannot have is no suggestion, and the reason is printed on terminals.
        names = (name for name in self.names if len(name) <= MAX_METER_NAME_LENGTH and not find_name_error(name))
        return {name.casefold(): name for name in sorted(names)}


def can_be_created(name: str) -> bool:
    """Whether the API creates a meter with this name. A meter from Amberflo's own console may have another one."""
    try:
        msgspec.convert(name, ApiName)
    except msgspec.ValidationError:
        return False
    return True


def _describe(name: str, nearest: str) -> str:
    suggestion = f"; did you mean '{nearest}'?" if nearest else "."
    advice = "Create the meter, or redrive" if can_be_created(name) else "A meter cannot have this name: redrive"
    return truncate_reason(f"there is no meter '{name}'{suggestion} {advice} with --set meterApiName=NAME")
