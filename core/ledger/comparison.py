"""Compare the ledger with what Amberflo reports, by meter, tenant and hour."""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, Literal

from msgspec import Struct

from amberflo_workflows.core.ledger.layout import HOUR_SECONDS
from amberflo_workflows.core.ledger.totals import Hour, HourTotal

# Sums of doubles in another order differ by less.
_TOLERANCE: Final = 1e-9

HourOutcome = Literal["agreed", "missing", "unknown", "tooFresh"]
OUTCOMES: Final[tuple[HourOutcome, ...]] = ("agreed", "missing", "unknown", "tooFresh")


class ComparedHour(Struct, rename="camel"):
    """An hour with the sums of both sides, and what the comparison says.

    ``missing``: Amberflo reports less than the ledger has; ``unknown``: it reports more; ``tooFresh``: they differ, but
    Amberflo's report may not be up to date.
    """

    meter_api_name: str
    tenant_id: str
    start_time_in_seconds: int
    ledger: float
    amberflo: float
    outcome: HourOutcome


def compare_hours(
    ledger: Mapping[Hour, HourTotal], amberflo: Mapping[Hour, float], settled_until: int
) -> Iterator[ComparedHour]:
    """Compare each hour that either side has, in the order of meter, tenant and hour.

    Amberflo's report has what it was sent until ``settled_until`` (epoch seconds), of hours that ended until then.
    """
    for hour in sorted({*ledger, *amberflo}):
        total = ledger.get(hour)
        changed = int(datetime.fromisoformat(total.changed).timestamp()) if total else 0
        is_fresh = changed > settled_until or hour.start + HOUR_SECONDS > settled_until
        sums = total.value if total else 0.0, amberflo.get(hour, 0.0)
        yield ComparedHour(*hour, *sums, _choose_outcome(*sums, is_fresh=is_fresh))


def _choose_outcome(ledger: float, amberflo: float, *, is_fresh: bool) -> HourOutcome:
    if math.isclose(ledger, amberflo, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE):
        return "agreed"
    if is_fresh:
        return "tooFresh"
    return "missing" if ledger > amberflo else "unknown"
