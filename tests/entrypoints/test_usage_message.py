"""A message is read in one of two ways. What the quick one accepts, the lenient one reads in the same way."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from amberflo_workflows.core.chunks import EncodedUsage
from amberflo_workflows.entrypoints.usage_message import _read_leniently, _read_plain, read_usages

USAGE = '{"tenantId":"t","meterApiName":"m","meterValue":1,"dimensions":{"a":"b","c":2.50}}'
ENVELOPE = {
    "version": '"0"',
    "id": '"e"',
    "detail-type": '"ingestUsage"',
    "source": '"app"',
    "account": '"000000000000"',
    "time": '"2026-11-24T10:00:00Z"',
    "region": '"us-east-1"',
    "resources": "[]",
}


def _event(detail: str = USAGE, **changes: str | None) -> str:
    """An event as text. A member that is ``None`` is left out."""
    members = {**ENVELOPE, **{name.replace("_", "-"): text for name, text in changes.items()}, "detail": detail}
    return "{" + ",".join(f'"{name}":{text}' for name, text in members.items() if text is not None) + "}"


def _with(value: str) -> str:
    return f'{{"tenantId":"t","meterApiName":"m","meterValue":1,"x":{value}}}'


def _message(body: str) -> dict[str, Any]:
    return {"messageId": "m", "body": body, "attributes": {"SentTimestamp": "1795514400123"}}


def _read_both(body: str) -> tuple[list[EncodedUsage[str]], bool]:
    """Return the usages of a message, and whether it is plain; after comparing them with those of the lenient way."""
    usages, plain = read_usages(_message(body)), _read_plain(_message(body))
    # As text, in which 1, 1.0 and true differ, as well as the order of members.
    assert repr(usages) == repr(_read_leniently(_message(body)))
    return usages, plain is not None


PLAIN = {
    "a usage": _event(),
    "whitespace": _event(USAGE).replace(":", " : ").replace(",", "\n,\t").replace('"0"', '\r"0"'),
    "escaped text": _event(_with(r'"\u00e9\u65e5"')),
    "text that is not ASCII": _event(_with('"é日😀"')),
    "colons and braces in text": _event(_with('":{,}["')),
    "resources": _event(resources='["arn:aws:a","b"]'),
    "a replayed event without its name": _event(id='"other"'),
    "a whole double": _event(_with("5.0")),
    "minus zero": _event(_with("-0.0")),
    "an exponent": _event(_with("1E+5")),
    "64 bits": _event(_with("18446744073709551615")),
    "more than 64 bits": _event(_with("18446744073709551616")),
    "400 digits": _event(_with("1" * 400)),
    "the smallest double": _event(_with("5e-324")),
    "less than the smallest double": _event(_with("1e-400")),
    "null, true and false": _event('{"a":null,"b":true,"c":false,"":""}'),
    "a list": _event(_with('[{"a":{"b":1}}]')),
    "no members": _event("{}"),
    "records": _event(f'{{"records":[{USAGE},{{}},{_with("7")}]}}'),
    "no records": _event('{"records":[]}'),
    "over 100 kB": _event(_with(f'"{"x" * 150_000}"')),
    "records with text": _event('{"records":"x"}'),
}
ODD = {
    "a member twice": _event('{"tenantId":"t","tenantId":"u"}'),
    "a member twice, the same": _event('{"tenantId":"t","tenantId":"t"}'),
    "a member twice, once escaped": _event(r'{"tenantId":"t","tenant\u0049d":"t"}'),
    "a dimension twice": _event('{"dimensions":{"a":"b","a":"c"}}'),
    "a number twice": _event('{"meterValue":1,"meterValue":2}'),
    "an object twice": _event('{"dimensions":{},"dimensions":{}}'),
    "a member of a record twice": _event('{"records":[{"a":1},{"a":1,"a":2}]}'),
    "records twice": _event('{"records":[{"a":1}],"records":[{"a":2}]}'),
    "a member twice, and as many escaped quotes": _event(r'{"a":1,"a":2,"b":"\u0022\u0022"}'),
    "a member twice, and quotes in an id": _event('{"a":1,"a":2}', id=r'"\u0022\u0022"'),
    "a member twice, and quotes in the source": _event('{"a":1,"a":2}', source=r'"\u0022\u0022"'),
    "a member twice, and a number as resource": _event('{"a":1,"a":2}', resources="[1]"),
    **{
        f"a member twice, and a number as {name}": _event('{"a":1,"a":2}', **{name: "0"})
        for name in ("version", "detail-type", "source", "account", "region")
    },
    "the id twice": _event().replace('"id":', '"id":"x","id":'),
    "the time twice": _event().replace('"time":', '"time":"x","time":'),
    "the detail twice": _event().replace('"detail":', '"detail":{},"detail":'),
    "the id twice and no region": _event(region=None).replace('"id":', '"id":"x","id":'),
    "not finite": _event(_with("1e999")),
    "minus infinity": _event(_with("-1e999")),
    "NaN": _event(_with("NaN")),
    "Infinity": _event(_with("Infinity")),
    "5,000 digits": _event(_with("1" * 5_000)),
    "a lone surrogate": _event(_with(r'"\ud800"')),
    "a lone low surrogate": _event(_with(r'"\udc00"')),
    "surrogates in the wrong order": _event(_with(r'"\udc00\ud800"')),
    "a surrogate that is not escaped": _event(_with('"\ud800"')),
    "a lone surrogate as a name": _event(r'{"\ud800":1}'),
    "a lone surrogate in a record": _event(r'{"records":[{"a":1},{"a":"\ud800"}]}'),
    "a lone surrogate as id": _event(id=r'"\ud800"'),
    "nested deep": _event(_with("[" * 30 + "]" * 30)),
    "nested deeper than can be read": _event(_with("[" * 100_000 + "]" * 100_000)),
    "objects nested deep": _event(_with('{"a":' * 600 + "0" + "}" * 600)),
    "objects nested at the limit": _event('{"a":' * 20 + "{}" + "}" * 20),
    "objects nested below the limit": _event('{"a":' * 19 + "{}" + "}" * 19),
    "a quote in text": _event(_with(r'"\""')),
    "a backslash in text": _event(_with(r'"\\"')),
    "a line break in text": _event(_with(r'"\n"')),
    "a control character": _event(_with('"\x01"')),
    "a byte order mark": "\ufeff" + _event(),
    "no JSON": "no JSON",
    "nothing": "",
    "a comma too many": _event(_with('"y",')),
    "more after the event": _event() + "{}",
    "a usage without an event": USAGE,
    "a number": "5",
    "a text": '"x"',
    "no detail": _event("").replace(',"detail":', ""),
    "a detail that is text": _event('"x"'),
    "a detail that is null": _event("null"),
    "a detail that is a list": _event(f"[{USAGE}]"),
    "records of other types": _event('{"records":[null,"x",[],5,{}]}'),
    "records and another member": _event('{"records":[{"a":1}],"b":2}'),
    "no id": _event(id=None),
    "an empty id": _event(id='""'),
    "a blank id": _event(id='" \\t"'),
    "a blank id without an escape": _event(id='"  "'),
    "null as id": _event(id="null"),
    "a number as id": _event(id="5"),
    "a double as id": _event(id="5.0"),
    "true as id": _event(id="true"),
    "an object as id": _event(id='{"a":1}'),
    "no time": _event(time=None),
    "an empty time": _event(time='""'),
    "a blank time": _event(time='"   "'),
    "null as time": _event(time="null"),
    "a number as time": _event(time="1795514400"),
    "no account": _event(account=None),
    "another member": _event(more='"x"'),
    "another member that is nested deep": _event(more="[" * 100_000 + "]" * 100_000),
    "a replayed event": _event(replay_name='"r"'),
    "a number as version": _event(version="0"),
    "numbers as resources": _event(resources="[1]"),
}


@pytest.mark.parametrize("body", PLAIN.values(), ids=PLAIN)
def test_a_plain_event_is_read_as_any_other(body: str) -> None:
    assert _read_both(body)[1]


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_an_odd_message_is_not_plain(body: str) -> None:
    usages, is_plain = _read_both(body)
    assert usages
    assert not is_plain


def test_each_usage_has_its_message_its_event_and_its_json() -> None:
    usages, _ = _read_both(_event('{"records":[{"a":1},{"b":"é"}]}'))
    assert [(usage.origin, usage.reported.event_id, usage.reported.index) for usage in usages] == [
        ("m", "e:0", 0),
        ("m", "e:1", 1),
    ]
    assert [json.loads(usage.text)["usage"] for usage in usages] == [{"a": 1}, {"b": "é"}]


NAMES = ["tenantId", "meterApiName", "dimensions", "records", "uniqueId", "é", "", '"', "\\"]
spaces = st.sampled_from(["", "", "", " ", "\n", "\t\r"])
escaped_texts = st.sampled_from([r'"\u0022"', r'"\ud800"', r'"\ud83d\ude00"', r'"\u00e9"', r'"\/"', r'":\""', '"\x7f"'])
texts = st.builds(json.dumps, st.text(max_size=5) | st.sampled_from(NAMES), ensure_ascii=st.booleans()) | escaped_texts
numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
scalars = st.sampled_from(["null", "true", "false", "NaN", "Infinity"]) | numbers | texts


def _objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Objects as text, some of which have a member twice."""
    names = st.sampled_from(NAMES).map(json.dumps) | texts
    member = st.builds("{}{}{}:{}{}".format, spaces, names, spaces, spaces, values)
    return st.lists(member, max_size=4).map(lambda members: "{" + ",".join(members) + "}")


def _lists(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, max_size=3).map(lambda items: "[" + ",".join(items) + "]")


values = st.recursive(scalars, lambda inner: _objects(inner) | _lists(inner), max_leaves=12)
plain_details = _objects(scalars | _objects(scalars))
records = _lists(plain_details | values).map('{{"records":{}}}'.format)
events = st.builds(
    lambda detail, changes: _event(detail, **changes),
    plain_details | records | values,
    st.dictionaries(st.sampled_from(["id", "time", "source", "resources", "more"]), texts | values, max_size=1),
)


# Most of these are plain.
plain_texts = st.text(st.sampled_from("aé日😀:{},[] \u2028"), max_size=5).map('"{}"'.format)
plain_scalars = st.sampled_from(["null", "true", "0", "-5", "2.50", "1E5", "1" * 30]) | plain_texts
nearly_plain_objects = st.builds(
    lambda members, odd: "{" + ",".join(f"{name}:{value}" for name, value in [*members.items(), *odd]) + "}",
    st.dictionaries(plain_texts, plain_scalars | _lists(plain_scalars), max_size=5),
    st.just([]) | st.just([]) | st.lists(st.tuples(plain_texts, scalars), max_size=1),
)
nearly_plain_events = st.builds(
    lambda detail, space: _event(detail).replace('":', f'"{space}:{space}'),
    nearly_plain_objects | _lists(nearly_plain_objects).map('{{"records":{}}}'.format),
    spaces,
)


@given(nearly_plain_events)
def test_a_nearly_plain_event_is_read_as_by_the_lenient_way(body: str) -> None:
    _read_both(body)


@given(events | values)
@example(_event('{"":"","":""}'))
def test_any_message_is_read_as_by_the_lenient_way(body: str) -> None:
    _read_both(body)


@given(plain_details)
def test_any_detail_with_a_duplicate_at_its_end_is_not_plain(detail: str) -> None:
    """Without one it may be plain."""
    more = ',"x":1,"x":2}' if len(detail) > 2 else '"x":1,"x":2}'
    assert not _read_both(_event(detail[:-1] + more))[1]
