"""The time range of a usage query, and its interval."""

import time
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

DEFAULT_RANGE_SECONDS: Final = 24 * 60 * 60

# Epoch seconds until the year 2286. A time in milliseconds is later, and is rejected.
Seconds = Annotated[int, Meta(ge=0, lt=10_000_000_000)]
Interval = Literal["HOUR", "DAY", "WEEK", "MONTH"]


def build_time_range(start: int | None, end: int | None) -> dict[str, int]:
    """Return the range that ends now, and starts 24 hours before its end, unless the query says otherwise.

    It ends now at the latest: what Amberflo makes of a later end is not documented. Raises ``msgspec.ValidationError``.
    """
    now = int(time.time())
    end = now if end is None else min(end, now)
    start = max(end - DEFAULT_RANGE_SECONDS, 0) if start is None else start
    if start >= end:
        raise msgspec.ValidationError(
            "The range is empty: it must start before its end and before now - at `$.startTimeInSeconds`"
        )
    return {"startTimeInSeconds": start, "endTimeInSeconds": end}
