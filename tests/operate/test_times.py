import os
import time
from collections.abc import Iterator
from datetime import UTC

import pytest

from amberflo_workflows.operate.times import InvalidTime, parse_duration, parse_time

NOW = 1_800_000_000


@pytest.fixture(autouse=True)
def _in_kolkata() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Kolkata"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-31T09:00Z", 1_769_850_000),
        ("2026-01-31T09:00:00.9+00:00", 1_769_850_000),
        ("2026-01-31T10:00+01:00", 1_769_850_000),
        ("1769850000", 1_769_850_000),
        ("999999999", 999_999_999),
        ("90s", NOW - 90),
        ("15m", NOW - 900),
        ("2h", NOW - 7200),
        ("7d", NOW - 604_800),
        ("2w", NOW - 1_209_600),
    ],
)
def test_a_time_is_absolute_or_before_now(text: str, seconds: int) -> None:
    assert parse_time(text, NOW) == (seconds, None)


@pytest.mark.parametrize(
    ("text", "seconds", "assumed"),
    [
        ("2026-01-31T14:30", 1_769_850_000, "2026-01-31T14:30:00+05:30"),
        ("2026-01-31", 1_769_797_800, "2026-01-31T00:00:00+05:30"),
    ],
)
def test_a_time_without_a_zone_has_the_zone_of_this_machine(text: str, seconds: int, assumed: str) -> None:
    assert parse_time(text, NOW) == (seconds, assumed)


def test_a_time_without_a_zone_has_the_default_zone() -> None:
    assert parse_time("2026-01-31T09:00", NOW, UTC) == (1_769_850_000, None)
    assert parse_time("2026-01-31T09:00+09:00", NOW, UTC) == (1_769_817_600, None)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2h30m", "-2h", "20260131", "1769850000000", "2026-13-01", "0001-01-01", "7 d"]
)
def test_an_invalid_or_ambiguous_time_is_rejected(text: str) -> None:
    with pytest.raises(InvalidTime, match="Use ISO 8601"):
        parse_time(text, NOW)


def test_a_duration_needs_a_unit() -> None:
    assert parse_duration("7d") == 604_800
    with pytest.raises(InvalidTime, match="Examples: 15m, 2h, 7d, 1w"):
        parse_duration("7")
