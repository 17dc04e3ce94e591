import contextlib
import time
import zlib
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import KEY, Amberflo, record


def _statuses(amberflo: Amberflo, path: str, count: int) -> list[int]:
    return [amberflo.call("GET", path).status_code for _ in range(count)]


def test_a_status_has_its_headers_and_body(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "status", "status": 429, "headers": {"Retry-After": "7"}, "body": "slow"}])
    response = amberflo.call("GET", "/meters")
    assert (response.status_code, response.headers["Retry-After"], response.text) == (429, "7", "slow")


def test_a_fault_affects_the_calls_that_it_names(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "status", "path": "/meters*", "method": "GET", "skip": 1, "times": 2}])
    assert _statuses(amberflo, "/customers", 1) == [200]
    assert amberflo.call("POST", "/ingest", record()).status_code == 200
    assert _statuses(amberflo, "/meters", 4) == [200, 503, 503, 200]
    assert amberflo.sandbox.faults()[0]["struck"] == 2


def test_the_same_seed_affects_the_same_share_of_calls(amberflo: Amberflo) -> None:
    runs = []
    for seed in (1, 1, 2):
        amberflo.sandbox.set_faults([{"kind": "status", "share": 0.5, "seed": seed}])
        runs.append(_statuses(amberflo, "/meters", 30))
    assert runs[0] == runs[1] != runs[2]
    assert 5 < runs[0].count(503) < 25


def test_a_delayed_call_succeeds(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "delay", "seconds": 0.3}])
    start = time.monotonic()
    assert _statuses(amberflo, "/meters", 1) == [200]
    assert time.monotonic() - start >= 0.3


@pytest.mark.parametrize(("kind", "counted"), [("drop", 0), ("accept_then_drop", 1)])
def test_a_connection_is_dropped_before_or_after_the_work(amberflo: Amberflo, kind: str, counted: int) -> None:
    amberflo.sandbox.set_faults([{"kind": kind}])
    with pytest.raises(requests.ConnectionError):
        amberflo.call("POST", "/ingest", record())
    assert amberflo.total() == counted


def test_a_status_can_follow_the_work(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "accept_then_status", "status": 500}])
    assert amberflo.call("POST", "/ingest", record()).status_code == 500
    assert amberflo.sandbox.totals("api-calls") == {"acme": 1}


def test_a_hanging_response_times_out(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "hang"}])
    with pytest.raises(requests.ReadTimeout):
        amberflo.call("GET", "/meters", timeout=0.3)


def test_a_trickling_response_arrives_byte_by_byte(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "trickle", "seconds": 1.5}])
    start = time.monotonic()
    assert amberflo.call("GET", "/meters").text == "   {}"
    assert time.monotonic() - start >= 1.5


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        ({"kind": "wrong_key"}, 401, '{"message":"Unauthorized"}'),
        ({"kind": "garbage"}, 200, "<html>not what you asked for"),
        ({"kind": "redirect", "headers": {"Location": "/elsewhere"}}, 307, '{"message": "a fault of the sandbox"}'),
    ],
    ids=["wrong_key", "garbage", "redirect"],
)
def test_other_faults(amberflo: Amberflo, fault: dict[str, Any], status: int, text: str) -> None:
    amberflo.sandbox.set_faults([fault])
    response = amberflo.call("GET", "/meters", allow_redirects=False)
    assert (response.status_code, response.text) == (status, text)


def test_a_response_can_end_early(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "cut_off"}])
    with amberflo.call("GET", "/meters", stream=True) as response:
        assert (response.status_code, response.headers["Content-Length"]) == (200, "20")
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="9 bytes read, 11 more expected"):
            response.content  # noqa: B018 - reading it is what fails


def test_a_response_can_inflate_to_a_thousand_times_its_size(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "bomb"}])
    with amberflo.call("GET", "/meters", stream=True) as response:
        assert int(response.headers["Content-Length"]) < 2_500_000
        inflated = zlib.decompressobj(wbits=31).decompress(response.raw.read(20_000))
        assert len(inflated) == 10_000_000


def test_an_invalid_fault_is_rejected_and_changes_nothing(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "status"}])
    for fault in ({"kind": "other"}, {"kind": "status", "share": 0}, {"kind": "status", "stauts": 500}):
        with pytest.raises(ValueError, match="rejected PUT faults"):
            amberflo.sandbox.set_faults([fault])
    assert len(amberflo.sandbox.faults()) == 1


@pytest.mark.parametrize("key", [None, "", "wrong", KEY.upper()], ids=["none", "empty", "unknown", "upper case"])
def test_only_known_keys_are_accepted(amberflo: Amberflo, key: str | None) -> None:
    for path in ("/meters", "/customers", "/usage/all"):
        assert amberflo.call("GET", path, headers={"X-API-KEY": key}).status_code == 401
    amberflo.sandbox.set_keys([KEY, "wrong"])
    assert amberflo.call("GET", "/meters", headers={"X-API-KEY": "wrong"}).status_code == 200


def test_calls_are_counted_without_their_content(amberflo: Amberflo) -> None:
    amberflo.sandbox.clear_requests()
    amberflo.ingest(record(customerId="secret-tenant"))
    calls = amberflo.sandbox.requests()
    assert (calls["total"], calls["records"]) == (1, 1)
    assert calls["counts"] == [{"method": "POST", "path": "/ingest", "status": 200, "count": 1}]
    assert KEY not in str(calls)
    assert "secret-tenant" not in str(calls)


@pytest.mark.parametrize(
    "kind",
    ["status", "drop", "hang", "trickle", "wrong_key", "redirect", "garbage", "cut_off", "accept_then_status"],
)
def test_only_accepted_records_are_counted(amberflo: Amberflo, kind: str) -> None:
    amberflo.sandbox.set_faults([{"kind": kind, "seconds": 0.1}])
    with contextlib.suppress(requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
        amberflo.call("POST", "/ingest", record(), allow_redirects=False)
    assert amberflo.sandbox.totals("api-calls") == ({"acme": 1} if kind == "accept_then_status" else {})


def test_a_call_gets_the_first_fault_that_applies(amberflo: Amberflo) -> None:
    first = {"kind": "status", "status": 500, "path": "/meters/*"}
    amberflo.sandbox.set_faults([{**first, "times": 1}, {"kind": "status", "status": 502, "path": "/meters*"}])
    assert _statuses(amberflo, "/meters/x", 2) == [500, 502]
    assert _statuses(amberflo, "/meters", 1) == [502]
    assert _statuses(amberflo, "/customers", 1) == [200]
    assert [fault["struck"] for fault in amberflo.sandbox.faults()] == [1, 2]


def test_a_hang_ends_with_a_dropped_connection(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "hang", "seconds": 0.2}])
    start = time.monotonic()
    with pytest.raises(requests.ConnectionError):
        amberflo.call("GET", "/meters")
    assert time.monotonic() - start >= 0.2


def test_a_response_can_have_no_body(amberflo: Amberflo) -> None:
    amberflo.sandbox.set_faults([{"kind": "status", "status": 200, "body": "", "method": "DELETE"}])
    response = amberflo.call("DELETE", "/meters/x")
    assert (response.status_code, response.text) == (200, "")
    assert amberflo.json("GET", "/meters/x") == {}, "the fault is for another method"


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [("GET", "/nowhere", 404, "Not Found"), ("PATCH", "/meters", 405, "Method Not Allowed")],
    ids=["path", "method"],
)
def test_an_unknown_path_or_method_is_an_error_in_json(
    amberflo: Amberflo, method: str, path: str, status: int, message: str
) -> None:
    response = amberflo.call(method, path)
    assert (response.status_code, response.json()) == (status, {"message": message})
