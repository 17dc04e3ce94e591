import json
from typing import Any

import pytest

from amberflo_workflows.core.file_encoding import InvalidFile
from amberflo_workflows.core.file_options import FileOptions
from amberflo_workflows.core.file_rows import read_rows
from amberflo_workflows.core.reported_usage import ReportedUsage
from amberflo_workflows.core.usage_file import parse_usages, read_layout
from amberflo_workflows.core.usage_record import InvalidUsage, build_record

METERS = {"input-tokens": "ContextTokens", "output-tokens": "GeneratedTokens"}
CHAT = {
    "id": "chat-1",
    "customer": "acme",
    "created": 1_795_698_593,
    "model": "small",
    "message": {"role": "assistant", "content": "x" * 900, "usage": {"input_tokens": 11, "output_tokens": 7}},
}
CHAT_COLUMNS = {"tenantId": "customer", "time": "created", "uniqueId": "id"}
LONG = "é" * 300


def _read_csv(text: str, **options: Any) -> list[ReportedUsage]:
    data = [text.encode()]
    layout = read_layout(FileOptions("f.csv", "csv", **options), data)
    rows = read_rows([data[0][layout.rows_start :]], layout.rows_start, "csv")
    return [usage for row in rows for usage in parse_usages(row, layout)]


def _read_json(*lines: Any, **options: Any) -> list[ReportedUsage]:
    data = ["\n".join(map(json.dumps, lines)).encode()]
    layout = read_layout(FileOptions("f.ndjson", "ndjson", **options), data)
    return [usage for row in read_rows(data, 0, "ndjson") for usage in parse_usages(row, layout)]


def _error(reported: ReportedUsage) -> str:
    time = reported.event_time or "2026-11-16"
    with pytest.raises(InvalidUsage) as error:
        build_record(reported.usage, event_id=reported.event_id, event_time=time, reason=reported.reason)
    return str(error.value)


def test_only_these_columns_are_dimensions() -> None:
    text = "tenantId,meterApiName,meterValue,uniqueId,region,note,host\nacme,m,1,u,eu,hello,h1\n"
    (reported,) = _read_csv(text, only=["region", "host"])
    assert reported.usage == {
        "tenantId": "acme",
        "meterApiName": "m",
        "meterValue": 1,
        "uniqueId": "u",
        "region": "eu",
        "host": "h1",
    }
    assert _read_csv(text, only=["region"], ignore=["uniqueId"])[0].usage.keys() == reported.usage.keys() - {
        "uniqueId",
        "host",
    }


def test_only_applies_to_the_dimensions_of_json_and_not_to_what_is_mapped_or_set() -> None:
    row = {"tenantId": "t", "meterApiName": "m", "meterValue": 1, "dimensions": {"a": "1", "b": "2"}, "c": [1], "d": 4}
    (reported,) = _read_json(row, only=["a"], columns={"level": "d"}, constants={"source": "log"})
    expected = {"tenantId": "t", "meterApiName": "m", "meterValue": 1, "level": 4, "source": "log"}
    assert reported.usage == {**expected, "dimensions": {"a": "1"}}
    (reported,) = _read_json(row, only=["dimensions"])
    assert reported.usage["dimensions"] == {"a": "1", "b": "2"}


def test_a_nested_member_is_mapped_and_the_rest_of_its_object_left_out() -> None:
    columns = {**CHAT_COLUMNS, "meterValue": "message.usage.input_tokens", "role": "message.role"}
    (reported,) = _read_json(CHAT, columns=columns, constants={"meterApiName": "tokens"})
    record = build_record(reported.usage, event_id=reported.event_id, event_time=reported.event_time)
    assert (record.meter_value, record.unique_id) == (11, "chat-1")
    assert (record.meter_time_in_millis, record.dimensions) == (
        1_795_698_593_000,
        {"model": "small", "role": "assistant"},
    )


def test_a_literal_member_of_that_name_comes_first() -> None:
    row = {"tenantId": "t", "meterApiName": "m", "a.b": 5, "a": {"b": 6}}
    (reported,) = _read_json(row, columns={"meterValue": "a.b"})
    assert reported.usage == {"tenantId": "t", "meterApiName": "m", "meterValue": 5, "a": {"b": 6}}
    (reported,) = _read_json(row, meters={"m": "a.b"}, ignore=["a", "meterApiName"])
    assert reported.usage == {"tenantId": "t", "meterApiName": "m", "meterValue": 5}


def test_a_column_of_csv_with_a_dot_is_a_literal_name() -> None:
    (reported,) = _read_csv("tenantId,meterApiName,usage.tokens\nacme,m,5\n", columns={"meterValue": "usage.tokens"})
    assert reported.usage["meterValue"] == 5
    with pytest.raises(InvalidFile, match=r"no column 'a\.b'"):
        _read_csv("tenantId,meterApiName,a\nacme,m,5\n", columns={"meterValue": "a.b"})


def test_a_nested_dimension_becomes_the_value_and_the_others_stay() -> None:
    row = {"tenantId": "t", "meterApiName": "m", "dimensions": {"tokens": 5, "region": "eu"}}
    (reported,) = _read_json(row, columns={"meterValue": "dimensions.tokens"})
    assert reported.usage == {"tenantId": "t", "meterApiName": "m", "meterValue": 5, "dimensions": {"region": "eu"}}


@pytest.mark.parametrize("message", [None, {}, {"usage": None}, {"usage": {}}, {"usage": {"input_tokens": None}}, "hi"])
def test_a_row_without_the_nested_member_is_rejected_for_it(message: Any) -> None:
    columns = {**CHAT_COLUMNS, "meterValue": "message.usage.input_tokens"}
    reported = _read_json(CHAT, {**CHAT, "message": message}, columns=columns, constants={"meterApiName": "m"})[1]
    assert _error(reported) == "meterValue is missing"


def test_a_nested_member_that_occurs_twice_is_rejected() -> None:
    layout = read_layout(FileOptions("f", "ndjson", columns={"meterValue": "u.n"}), [b"{}\n"])
    (row,) = read_rows([b'{"tenantId": "t", "meterApiName": "m", "u": {"n": 1, "n": 2}}'], 0, "ndjson")
    assert _error(parse_usages(row, layout)[0]) == "meterValue occurs twice"


def test_an_optional_nested_member_may_be_absent() -> None:
    columns = {**CHAT_COLUMNS, "role": "message.role", "meterValue": "n"}
    rows = [{**CHAT, "n": 1}, {**CHAT, "n": 1, "message": {}}]
    reported = _read_json(*rows, columns=columns, constants={"meterApiName": "m"})[1]
    assert build_record(reported.usage, event_id="e", event_time="").dimensions == {"model": "small"}


def test_a_row_of_csv_is_the_usage_of_several_meters() -> None:
    text = "TIMESTAMP,ContextTokens,GeneratedTokens\n2026-11-16 18:15:46.6805900,374,44\n"
    first, second = _read_csv(text, columns={"time": "TIMESTAMP"}, constants={"tenantId": "acme"}, meters=METERS)
    start = text.index("\n") + 1
    assert (first.event_id, second.event_id) == (f"f.csv:{start}:input-tokens", f"f.csv:{start}:output-tokens")
    assert first.usage == {"tenantId": "acme", "meterApiName": "input-tokens", "meterValue": 374}
    assert second.usage == {"tenantId": "acme", "meterApiName": "output-tokens", "meterValue": 44}
    assert first.event_time == second.event_time == "2026-11-16 18:15:46.6805900"


def test_a_row_of_json_is_the_usage_of_several_meters() -> None:
    meters = {"in": "message.usage.input_tokens", "out": "message.usage.output_tokens", "in-again": "n"}
    usages = _read_json({**CHAT, "n": 3}, columns=CHAT_COLUMNS, meters=meters)
    records = [build_record(usage.usage, event_id=usage.event_id, event_time=usage.event_time) for usage in usages]
    assert [(record.meter_api_name, record.meter_value) for record in records] == [
        ("in", 11),
        ("out", 7),
        ("in-again", 3),
    ]
    # A row's own uniqueId identifies its usage of each meter.
    assert {(record.unique_id, tuple(record.dimensions)) for record in records} == {("chat-1", ("model",))}


def test_two_meters_may_have_the_same_column() -> None:
    usages = _read_csv("tenantId,n\nt,5\n", meters={"a": "n", "b": "n"})
    assert [(usage.usage["meterApiName"], usage.usage["meterValue"]) for usage in usages] == [("a", 5), ("b", 5)]


@pytest.mark.parametrize(("value", "message"), [("", "meterValue is missing"), ("many", "meterValue must be a number")])
def test_one_meter_of_a_row_may_be_rejected(value: str, message: str) -> None:
    first, second = _read_csv(f"tenantId,time,a,b\nt,2026-11-16,{value},5\n", meters={"x": "a", "y": "b"})
    assert _error(first).startswith(message)
    assert build_record(second.usage, event_id=second.event_id, event_time=second.event_time).meter_value == 5


def test_a_row_that_cannot_be_read_is_one_rejected_usage() -> None:
    (reported,) = _read_csv("tenantId,a,b\nacme,1\n", meters={"x": "a", "y": "b"})
    assert (reported.usage, reported.reason) == ("acme,1", "the row has 2 fields, and the header has 3")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": {"meterValue": "a"}}, r"--meter \(meters\) sets meterValue, so --map"),
        ({"constants": {"meterApiName": "a"}}, r"--meter \(meters\) sets meterApiName, so --map"),
        ({}, "has a column meterValue, which --meter .* Leave it out with --ignore meterValue"),
        ({"ignore": ["meterValue"], "meters": {"x": "c"}}, "The file has no column 'c'"),
        ({"ignore": ["meterValue"], "only": ["c"]}, "The file has no column 'c'"),
    ],
)
def test_meters_that_do_not_fit_the_file_are_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidFile, match=message):
        _read_csv("tenantId,a,meterValue\nt,1,2\n", **{"meters": {"x": "a"}, **options})


def test_a_value_of_a_row_is_never_replaced_by_that_of_a_meter() -> None:
    own, ignored = {"tenantId": "t", "a": 1, "meterValue": 2}, {"tenantId": "t", "a": 1, "meterValue": None}
    usages = _read_json(own, ignored, meters={"x": "a"})
    assert _error(usages[0]) == "it has a meterValue, which --meter (meters) sets as well; leave it out with --ignore"
    assert usages[1].usage["meterValue"] == 1


@pytest.mark.parametrize(("rule", "expected"), [("drop", {"b": "x"}), ("cut", {"a": LONG[:200], "b": "x"})])
def test_long_dimensions_are_left_out_or_cut(rule: Any, expected: dict[str, str]) -> None:
    usage = {"tenantId": "t", "meterApiName": "m", "meterValue": 1}
    options: dict[str, Any] = {"long_dimensions": rule}
    header = "tenantId,meterApiName,meterValue,a,b\n"
    # Decomposed, each é has two characters, but a record has one.
    long = "e\u0301" * 300
    usages = [
        *_read_csv(f"{header}t,m,1,{LONG},x\n", **options),
        *_read_csv(f"{header}t,m,1,{long},x\n", **options),
        *_read_json({**usage, "a": LONG, "b": "x"}, {**usage, "dimensions": {"a": LONG, "b": "x"}}, **options),
    ]
    for reported in usages:
        assert build_record(reported.usage, event_id="e", event_time="2026-11-16").dimensions == expected


def test_a_dimension_of_the_greatest_length_stays_as_it_is() -> None:
    row = {"tenantId": "t", "meterApiName": "m", "meterValue": 1, "a": "e\u0301" * 200, "n": 5, "f": True, "x": None}
    for rule in ("drop", "cut", "refuse"):
        assert _read_json(row, long_dimensions=rule)[0].usage == row


def test_long_dimensions_are_rejected_by_default() -> None:
    (reported,) = _read_json({"tenantId": "t", "meterApiName": "m", "meterValue": 1, "a": LONG})
    assert "'a' has 300 characters, at most 200 are allowed" in _error(reported)


def test_a_long_name_is_left_out_and_never_cut() -> None:
    row = {"tenantId": "t", "meterApiName": "m", "meterValue": 1, "n" * 201: "x"}
    assert _read_json(row, long_dimensions="drop")[0].usage.keys() == {"tenantId", "meterApiName", "meterValue"}
    assert "name has 201 characters" in _error(_read_json(row, long_dimensions="cut")[0])


def test_a_tenant_or_an_identity_is_never_cut() -> None:
    for member in ("tenantId", "uniqueId"):
        row = {"tenantId": "t", "meterApiName": "m", "meterValue": 1, member: "x" * 201}
        for rule in ("drop", "cut"):
            assert f"{member} has 201 characters" in _error(_read_json(row, long_dimensions=rule)[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": {"tenantId": "custmer"}}, r"None of the first 2 rows has the member 'custmer' \(--map tenantId=c"),
        (
            {"columns": {"meterValue": "message.usage.tokens"}},
            r"members are: id, .*, message\.usage\.input_tokens",
        ),
        ({"meters": {"in": "message.tokens"}}, r"'message.tokens' \(--meter in=message.tokens\)"),
        ({"only": ["modell"]}, r"'modell' \(--only modell\)"),
    ],
)
def test_a_member_that_no_row_has_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidFile, match=message):
        _read_json(CHAT, {**CHAT, "model": "large"}, **options)


def test_a_member_that_only_a_later_row_has_is_no_error() -> None:
    rows = [*[{"tenantId": "t", "meterApiName": "m", "meterValue": 1}] * 900, CHAT]
    assert len(_read_json(*rows, columns={"model_name": "model"}, only=["id"])) == 901


def test_rows_that_are_not_objects_are_not_checked() -> None:
    assert len(_read_json({}, "text", [1], columns={"tenantId": "customer"})) == 3
