"""The model: what was reported, what must become of it, and where each usage is."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

TENANTS = ("tenant-a", "tenant-b")
# By meter and tenant.
Totals = dict[str, dict[str, float]]


class Place(Enum):
    """Where an accepted usage is, exactly one for each."""

    QUEUED = "queued"
    DEAD = "dead"
    REJECTED = "rejected"
    COUNTED = "counted"
    DROPPED = "dropped"
    CANCELLED = "cancelled"


# What one rule may change. A copy of a message may still be in a queue after its usage was processed.
_MOVES: dict[Place, set[Place]] = {
    Place.QUEUED: {Place.DEAD, Place.COUNTED, Place.REJECTED},
    Place.DEAD: {Place.QUEUED, Place.COUNTED, Place.REJECTED, Place.DROPPED},
    Place.REJECTED: {Place.COUNTED, Place.DROPPED},
    Place.COUNTED: {Place.CANCELLED},
    Place.DROPPED: set(),
    Place.CANCELLED: set(),
}


class Form(Enum):
    """What a usage is like."""

    GOOD = "good"
    WITHOUT_VALUE = "without value"
    UNKNOWN_METER = "unknown meter"
    # Our check passes it, and Amberflo rejects a dimension with a slash, and the complete request with it.
    REJECTED_BY_AMBERFLO = "rejected by Amberflo"


@dataclass(frozen=True)
class Usage:
    """A usage. Its number is its name, a dimension of its record, and its value."""

    number: int
    tenant: str
    meter: str
    form: Form = Form.GOOD
    # If it has none, the event's are its identity and its time.
    own_identity: tuple[str, int] | None = None

    @property
    def name(self) -> str:
        return f"u{self.number}"

    @property
    def is_good(self) -> bool:
        return self.form is Form.GOOD

    @property
    def fixed(self) -> "Usage":
        """The usage as an operator corrects it."""
        return replace(self, form=Form.GOOD)

    @property
    def body(self) -> dict[str, Any]:
        """The usage as the application reports it."""
        meter = "no-such-meter" if self.form is Form.UNKNOWN_METER else self.meter
        body: dict[str, Any] = {"tenantId": self.tenant, "meterApiName": meter, "name": self.name}
        if self.form is not Form.WITHOUT_VALUE:
            body["meterValue"] = self.number
        if self.form is Form.REJECTED_BY_AMBERFLO:
            body["path"] = "a/b"
        if self.own_identity:
            body["uniqueId"], body["meterTimeInMillis"] = self.own_identity
        return body

    def __str__(self) -> str:
        return f"{self.name} ({self.tenant}, {self.meter}, {self.form.value})"


@dataclass
class Ledger:
    """Every usage that was reported, by name.

    ``unanswered`` are those of HTTP calls that got no 200 so far: they may be anywhere or nowhere until the caller
    repeats the call. ``identities`` has the identity and the time with which a usage must count, if they are known.
    """

    usages: dict[str, Usage] = field(default_factory=dict)
    identities: dict[str, tuple[str, int]] = field(default_factory=dict)
    unanswered: set[str] = field(default_factory=set)
    places: dict[str, Place] = field(default_factory=dict)
    # The places in which there is a usage.
    occupied: set[Place] = field(default_factory=set)

    def move(self, observed: Mapping[str, Place]) -> dict[Place, list[Usage]]:
        """Take over the observed places. Return the usages that moved; fail if one is lost or moves as none may."""
        lost = [usage for name, usage in self.usages.items() if name not in observed and name not in self.unanswered]
        assert not lost, f"lost, neither in Amberflo, nor in the table, nor in a queue: {list_usages(lost)}"
        moved: dict[Place, list[Usage]] = {}
        for name, place in observed.items():
            before = self.places.get(name)
            if place is not before:
                self._check_move(self.usages[name], before, place)
                moved.setdefault(place, []).append(self.usages[name])
        self.places, self.occupied = dict(observed), set(observed.values())
        return moved

    def _check_move(self, usage: Usage, before: Place | None, place: Place) -> None:
        assert before is None or place in _MOVES[before], f"{usage} was {before.value} and is {place.value}"
        if place is Place.REJECTED:
            assert not usage.is_good, f"{usage} was rejected"
        if place in {Place.COUNTED, Place.CANCELLED}:
            assert usage.is_good, f"{usage} was counted"

    def add_up(self) -> Totals:
        """The totals that Amberflo must have."""
        totals: dict[str, Counter[str]] = {}
        for usage in self.at(Place.COUNTED):
            totals.setdefault(usage.meter, Counter())[usage.tenant] += usage.number
        return {meter: {**by_tenant} for meter, by_tenant in totals.items()}

    def at(self, *places: Place) -> list[Usage]:
        """The usages in these places, in the order in which they were reported."""
        return [usage for usage in self.usages.values() if self.places.get(usage.name) in places]

    def check_processed(self, names: Iterable[str]) -> None:
        """Fail if one of these usages still waits, although nothing went wrong."""
        waiting = [self.usages[name] for name in names if self.places.get(name) in {Place.QUEUED, Place.DEAD, None}]
        assert not waiting, f"not processed, although nothing failed: {list_usages(waiting)}"


def list_usages(usages: Iterable[Usage]) -> str:
    """The usages as text, of many only the first and the last."""
    texts = [str(usage) for usage in usages]
    return ", ".join(texts) if len(texts) <= 5 else f"{texts[0]} to {texts[-1]}, {len(texts)} in all"
