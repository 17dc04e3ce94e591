import contextlib
import time
import zlib
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import KEY, Amberflo, record


def _statuses(amberflo: Amberflo, path: str, count: int) -> list[int]:
    return [amberflo.call("GET", path).status_code for _ in range(count)]


def test_a_status_comes_with_its_headers_and_body(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "status", "status": 429, "headers": {"Retry-After": "7"}, "body": "slow"}])
    answer = amberflo.call("GET", "/meters")
    assert (answer.status_code, answer.headers["Retry-After"], answer.text) == (429, "7", "slow")


def test_a_fault_strikes_where_and_as_often_as_it_is_told(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "status", "path": "/meters*", "method": "GET", "skip": 1, "times": 2}])
    assert _statuses(amberflo, "/customers", 1) == [200]
    assert amberflo.call("POST", "/ingest", record()).status_code == 200
    assert _statuses(amberflo, "/meters", 4) == [200, 503, 503, 200]
    assert amberflo.sandbox.faults()[0]["struck"] == 2


def test_a_share_is_the_same_share_for_the_same_seed(amberflo: Amberflo) -> None:
    runs = []
    for seed in (1, 1, 2):
        amberflo.sandbox.set_faults([{"kind": "status", "share": 0.5, "seed": seed}])
        runs.append(_statuses(amberflo, "/meters", 30))
    assert runs[0] == runs[1] != runs[2]
    assert 5 < runs[0].count(503) < 25


def test_a_delay_is_only_a_delay(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "delay", "seconds": 0.3}])
    started = time.monotonic()
    assert _statuses(amberflo, "/meters", 1) == [200]
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(("kind", "counted"), [("drop", 0), ("accept_then_drop", 1)])
def test_a_dropped_connection_is_one_before_or_after_the_work(amberflo: Amberflo, kind: str, counted: int) -> None:
    amberflo.sandbox.set_faults([{"kind": kind}])
    with pytest.raises(requests.ConnectionError):
        amberflo.call("POST", "/ingest", record())
    assert sum(amberflo.sandbox.totals("api-calls").values()) == counted


def test_a_status_may_come_after_the_work(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "accept_then_status", "status": 500}])
    assert amberflo.call("POST", "/ingest", record()).status_code == 500
    assert amberflo.sandbox.totals("api-calls") == {"acme": 1}


@pytest.mark.parametrize("kind", ["hang", "trickle"])
def test_an_answer_may_not_come_in_time(amberflo: Amberflo, kind: str) -> None:
    amberflo.sandbox.set_faults([{"kind": kind, "seconds": 1.5}])
    started = time.monotonic()
    if kind == "hang":
        with pytest.raises(requests.ReadTimeout):
            amberflo.call("GET", "/meters", timeout=0.3)
    else:
        # Each byte is in time; the whole is not.
        assert amberflo.call("GET", "/meters", timeout=1).json() == {}
        assert time.monotonic() - started >= 1


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        ({"kind": "wrong_key"}, 401, '{"message":"Unauthorized"}'),
        ({"kind": "garbage"}, 200, "<html>not what you asked for"),
        ({"kind": "redirect", "headers": {"Location": "/elsewhere"}}, 307, '{"message": "a fault of the sandbox"}'),
    ],
)
def test_other_misbehaviour(amberflo: Amberflo, fault: dict[str, Any], status: int, text: str) -> None:
    amberflo.sandbox.set_faults([fault])
    answer = amberflo.call("GET", "/meters", allow_redirects=False)
    assert (answer.status_code, answer.text) == (status, text)


def test_an_answer_may_break_off_half_way(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "cut_off"}])
    with amberflo.call("GET", "/meters", stream=True) as answer:
        assert (answer.status_code, answer.headers["Content-Length"]) == (200, "20")
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="9 bytes read, 11 more expected"):
            answer.content  # noqa: B018 - reading it is what fails


def test_an_answer_may_be_a_thousand_times_what_it_seems(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "bomb"}])
    with amberflo.call("GET", "/meters", stream=True) as answer:
        assert int(answer.headers["Content-Length"]) < 2_500_000
        inflated = zlib.decompressobj(wbits=31).decompress(answer.raw.read(20_000))
        assert len(inflated) == 10_000_000


def test_a_fault_that_is_none_is_refused_and_changes_nothing(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "status"}])
    for wrong in ({"kind": "other"}, {"kind": "status", "share": 0}, {"kind": "status", "stauts": 500}):
        with pytest.raises(ValueError, match="refused PUT faults"):
            amberflo.sandbox.set_faults([wrong])
    assert len(amberflo.sandbox.faults()) == 1


@pytest.mark.parametrize("key", [None, "", "wrong", KEY.upper()])
def test_only_a_key_that_is_known_is_taken(amberflo: Amberflo, key: str | None) -> None:
    for path in ("/meters", "/customers", "/usage/all"):
        assert amberflo.call("GET", path, headers={"X-API-KEY": key}).status_code == 401
    amberflo.sandbox.set_keys([KEY, "wrong"])
    assert amberflo.call("GET", "/meters", headers={"X-API-KEY": "wrong"}).status_code == 200


def test_calls_are_counted_without_what_was_in_them(amberflo: Amberflo) -> None:
    amberflo.sandbox.clear_requests()
    amberflo.ingest(record(customerId="secret-tenant"))
    told = amberflo.sandbox.requests()
    assert (told["total"], told["records"]) == (1, 1)
    assert told["counts"] == [{"method": "POST", "path": "/ingest", "status": 200, "count": 1}]
    assert KEY not in str(told)
    assert "secret-tenant" not in str(told)


@pytest.mark.parametrize(
    "kind",
    ["status", "drop", "hang", "trickle", "wrong_key", "redirect", "garbage", "cut_off", "accept_then_status"],
)
def test_only_what_is_accepted_is_counted(amberflo: Amberflo, kind: str) -> None:
    amberflo.sandbox.set_faults([{"kind": kind, "seconds": 0.1}])
    with contextlib.suppress(requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
        amberflo.call("POST", "/ingest", record(), allow_redirects=False)
    assert amberflo.sandbox.totals("api-calls") == ({"acme": 1} if kind == "accept_then_status" else {})


def test_the_first_fault_that_strikes_is_the_one_a_call_gets(amberflo: Amberflo) -> None:
    first = {"kind": "status", "status": 500, "path": "/meters/*"}
    amberflo.sandbox.set_faults([{**first, "times": 1}, {"kind": "status", "status": 502, "path": "/meters*"}])
    assert _statuses(amberflo, "/meters/x", 2) == [500, 502]
    assert _statuses(amberflo, "/meters", 1) == [502]
    assert _statuses(amberflo, "/customers", 1) == [200]
    assert [fault["struck"] for fault in amberflo.sandbox.faults()] == [1, 2]


def test_a_hang_that_is_waited_out_ends_in_no_answer(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "hang", "seconds": 0.2}])
    began = time.monotonic()
    with pytest.raises(requests.ConnectionError):
        amberflo.call("GET", "/meters")
    assert time.monotonic() - began >= 0.2


def test_an_answer_may_have_no_body(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "status", "status": 200, "body": "", "method": "DELETE"}])
    answer = amberflo.call("DELETE", "/meters/x")
    assert (answer.status_code, answer.text) == (200, "")
    assert amberflo.json("GET", "/meters/x") == {}, "of another method"


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [("GET", "/nowhere", 404, "Not Found"), ("PATCH", "/meters", 405, "Method Not Allowed")],
)
def test_what_is_not_served_is_said_in_json(
    amberflo: Amberflo, method: str, path: str, status: int, message: str
) -> None:
    answer = amberflo.call(method, path)
    assert (answer.status_code, answer.json()) == (status, {"message": message})
