import json
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.core.file_options import FileOptions
from amberflo_workflows.core.file_rows import FileRow
from amberflo_workflows.core.file_times import (
    TimeOptions,
    UnreadableTime,
    check_time_options,
    describe_time,
    parse_file_time,
)
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.core.usage_file import FileLayout, parse_row, read_layout
from amberflo_workflows.core.usage_record import InvalidUsage, build_record

MILLIS = 1_795_698_593_123
USAGE = {"tenantId": "t", "meterApiName": "m", "meterValue": 1}


def _parse_both(time: Any, **options: Any) -> list[ReportedUsage]:
    """Return the usages of a row with a time, in CSV and in NDJSON."""
    csv_layout = FileLayout(FileOptions("f", "csv", **options), ["tenantId", "meterApiName", "meterValue", "time"], 0)
    text = time if isinstance(time, str) else json.dumps(time)
    escaped = text.replace('"', '""')
    json_layout = FileLayout(FileOptions("f", "ndjson", **options), [], 0)
    return [
        parse_row(FileRow(0, 9, f't,m,1,"{escaped}"'.encode()), csv_layout),
        parse_row(FileRow(0, 9, json.dumps({**USAGE, "time": time}).encode()), json_layout),
    ]


def _millis(reported: ReportedUsage) -> int:
    return build_record(
        reported.usage, event_id="e", event_time=reported.event_time, reason=reported.reason
    ).meter_time_in_millis


@pytest.mark.parametrize(
    ("time", "options", "millis"),
    [
        (1_795_698_593, {}, 1_795_698_593_000),
        (1_795_698_593.1239, {}, MILLIS),
        ("1795698593.123999999", {}, MILLIS),
        (MILLIS, {}, MILLIS),
        ("1795698593123.9", {}, MILLIS),
        (1_795_698_593_123_999, {}, MILLIS),
        (1_795_698_593_123_999_999, {}, MILLIS),
        (" 1795698593 ", {}, 1_795_698_593_000),
        ("2026-11-26T13:09:53.123Z", {}, MILLIS),
        ("2026-11-26 13:09:53.123", {}, MILLIS),
        (" 2026-11-26T15:09:53,123+02:00", {}, MILLIS),
        ("2026-11-26T14:09:53.123", {"time_zone": "Europe/Berlin"}, MILLIS),
        ("2026-11-26T14:09:53.123Z", {"time_zone": "Europe/Berlin"}, MILLIS + 3_600_000),
        (1_795_698_593, {"time_zone": "Europe/Berlin"}, 1_795_698_593_000),
        ("2026-07-01T02:00:00", {"time_zone": "Europe/Berlin"}, 1_782_864_000_000),
        ("2026-11-26 07:39:53.123", {"time_zone": "-05:30"}, MILLIS),
        ("11/26/2026", {"time_format": "%m/%d/%Y"}, 1_795_651_200_000),
        ("1/2/2026", {"time_format": "%d/%m/%Y"}, 1_769_904_000_000),
        ("11/26/2026", {"time_format": "%m/%d/%Y", "time_zone": "America/New_York"}, 1_795_669_200_000),
        ("11/26/2026 08:09:53 -0500", {"time_format": "%m/%d/%Y %H:%M:%S %z"}, 1_795_698_593_000),
        ("26.11.2026 13:09:53.1239999", {"time_format": "%d.%m.%Y %H:%M:%S.%f"}, MILLIS),
        ("26.11.2026 13:09:53,123999999", {"time_format": "%d.%m.%Y %H:%M:%S,%f"}, MILLIS),
        ("2026-11-26 13:09:53 UTC", {"time_format": "%Y-%m-%d %H:%M:%S UTC"}, 1_795_698_593_000),
        (20_261_126, {"time_format": "%Y%m%d"}, 1_795_651_200_000),
        (20_261_126, {}, 1_795_651_200_000),
    ],
)
def test_a_time_is_the_same_in_every_format(time: Any, options: dict[str, str], millis: int) -> None:
    for reported in _parse_both(time, **options):
        assert _millis(reported) == millis
        assert "time" not in reported.usage


@given(st.integers(1_000_000_000, 9_999_999_999), st.text("0123456789", min_size=1, max_size=12))
def test_epoch_seconds_are_exact_and_never_rounded_up(whole: int, fraction: str) -> None:
    exact = Fraction(f"{whole}.{fraction}") * 1000
    assert parse_file_time(f"{whole}.{fraction}", TimeOptions()).millis == exact.numerator // exact.denominator


@given(st.datetimes(datetime(2001, 9, 10), datetime(2280, 1, 1)), st.integers(0, 999))  # noqa: DTZ001 - in UTC
def test_all_forms_of_a_time_are_the_same_millisecond(time: datetime, nanoseconds: int) -> None:
    seconds, micros = int(time.replace(microsecond=0, tzinfo=UTC).timestamp()), time.microsecond
    digits = f"{micros:06}{nanoseconds:03}"
    forms = [f"{seconds}.{digits}", f"{seconds}{digits[:3]}", f"{seconds}{digits[:6]}", f"{seconds}{digits}"]
    forms += [f"{time.replace(microsecond=0).isoformat()}.{digits[:length]}" for length in (6, 7, 9)]
    expected = seconds * 1000 + micros // 1000
    assert {parse_file_time(form, TimeOptions()).millis for form in forms} == {expected}
    options = TimeOptions("%d/%m/%Y %H:%M:%S.%f")
    # Not strftime, which has no leading zeros for years on some systems.
    text = f"{time.day}/{time.month}/{time.year} {time:%H:%M:%S}.{digits}"
    assert parse_file_time(text, options).millis == expected


@pytest.mark.parametrize("time", ["yesterday", "20261126130953", "1.79E+12", "-1795698593", 5, True, [1], {"a": 1}])
def test_a_time_that_cannot_be_read_is_whole_in_the_original_and_named_in_the_reason(time: Any) -> None:
    for reported in _parse_both(time):
        assert reported.event_time == (time if isinstance(time, str) else json.dumps(time))
        with pytest.raises(InvalidUsage, match=r"there is no time: '.*' is neither ISO 8601 nor .*; set --time-format"):
            _millis(reported)
        # Whoever fixes the usage sets its time.
        own = {**reported.usage, "meterTimeInMillis": MILLIS}
        assert build_record(own, event_id="e", event_time=reported.event_time, reason=reported.reason)


@pytest.mark.parametrize("time", ["1795698593", 1_795_698_593, 1_795_698_593.5, "11/26/2026", "2026-11-26T13:09:53Z"])
def test_the_original_has_the_time_as_it_is_in_the_file(time: Any) -> None:
    options = {"time_format": "%m/%d/%Y"} if time == "11/26/2026" else {}
    for reported in _parse_both(time, **options):
        assert reported.event_time == str(time)


def test_a_time_in_iso_8601_is_not_converted() -> None:
    for reported in _parse_both("2026-11-26T13:09:53"):
        assert (reported.event_time, reported.usage, reported.reason) == ("2026-11-26T13:09:53", USAGE, "")


@pytest.mark.parametrize("time", [None, ""])
def test_an_empty_time_is_none(time: Any) -> None:
    reported = _parse_both(time)[1]
    assert (reported.event_time, reported.usage, reported.reason) == ("", USAGE, "")


def test_the_time_in_milliseconds_comes_first() -> None:
    layout = FileLayout(FileOptions("f", "ndjson"), [], 0)
    for time in (1_795_698_593, "yesterday"):
        usage = {**USAGE, "meterTimeInMillis": 5, "time": time}
        reported = parse_row(FileRow(0, 9, json.dumps(usage).encode()), layout)
        assert (_millis(reported), reported.event_time, describe_time(reported, TimeOptions())) == (5, str(time), "")


def test_a_format_is_for_all_rows() -> None:
    for time in ("2026-11-26", 1_795_698_593):
        with pytest.raises(InvalidUsage, match="does not have the format %m/%d/%Y"):
            _millis(_parse_both(time, time_format="%m/%d/%Y")[0])


@pytest.mark.parametrize(
    ("time", "options", "form"),
    [
        ("1795698593", {}, "epoch seconds"),
        (MILLIS, {}, "epoch milliseconds"),
        (MILLIS * 1000, {}, "epoch microseconds"),
        (MILLIS * 1_000_000, {}, "epoch nanoseconds"),
        ("2026-11-26T13:09:53Z", {}, "ISO 8601"),
        ("2026-11-26T13:09:53", {}, "ISO 8601, without a zone: UTC"),
        ("2026-11-26", {"time_zone": "Europe/Berlin"}, "ISO 8601, without a zone: Europe/Berlin"),
        ("11/26/2026", {"time_format": "%m/%d/%Y"}, "%m/%d/%Y, without a zone: UTC"),
        ("yesterday", {}, ""),
    ],
)
def test_a_form_is_described(time: Any, options: dict[str, str], form: str) -> None:
    for reported in _parse_both(time, **options):
        assert describe_time(reported, TimeOptions(**options)) == form


def test_the_first_of_two_equal_local_hours_is_taken() -> None:
    options = TimeOptions("", "Europe/Berlin")
    assert parse_file_time("2026-10-25T02:30:00", options).millis == 1_792_888_200_000


@pytest.mark.parametrize("time", ["0001-01-01", "9999-12-31T23:59:59"])
@pytest.mark.parametrize("zone", ["-12:00", "+14:00", "Europe/Berlin"])
def test_a_time_at_the_limits_is_a_time_or_unreadable(time: str, zone: str) -> None:
    try:
        parse_file_time(time, TimeOptions("", zone))
    except UnreadableTime as error:
        assert "out of range" in str(error)  # noqa: PT017 - either is right


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time_zone": "Berlin"}, "There is no time zone 'Berlin'. Set --time-zone .* Europe/Berlin, or .*02:00"),
        ({"time_zone": "../etc/passwd"}, "There is no time zone"),
        ({"time_zone": "Europe"}, "There is no time zone"),
        ({"time_zone": "+25:00"}, "There is no time zone"),
        ({"time_format": "MM/DD/YYYY"}, "must have the year and the month. Example: %m/%d/%Y"),
        ({"time_format": "%H:%M:%S"}, "must have the year and the month"),
        ({"time_format": "%Q"}, "is not a format of Python's strptime"),
        ({"time_format": "%m/%d/%Y %"}, "is not a format of Python's strptime"),
        ({"time_format": "%m/%d/%Y %Z"}, "must not have %Z"),
    ],
)
def test_an_option_that_cannot_be_used_is_an_error(options: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidFile, match=message):
        check_time_options(TimeOptions(**options))
    with pytest.raises(InvalidFile, match=message):
        read_layout(FileOptions("f", "ndjson", **options), [b"{}\n"])  # type: ignore[arg-type] # texts only


def test_a_percent_sign_before_a_z_is_text() -> None:
    check_time_options(TimeOptions("%m/%d/%Y %%Z"))
