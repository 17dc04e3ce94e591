import gzip
import json
import random
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from amberflo_workflows.tasks.amberflo.client import AmberfloClient
from amberflo_workflows.tasks.amberflo.errors import (
    AmberfloClientError,
    AmberfloError,
    AmberfloThrottled,
    AmberfloUnauthorized,
    AmberfloUnavailable,
)
from amberflo_workflows.tasks.amberflo.transport import MAX_RESPONSE_BYTES
from tests.tasks.hostile import NOTHING, Hostile, Script, answer, hostile, slowly

KEY = "key-that-must-not-travel"
GOOD = b'{"a": 1}'
BRACKETS = b"[" * 100_000 + b"]" * 100_000


@pytest.fixture
def amberflo() -> Iterator[Hostile]:
    with hostile() as server:
        yield server


def client(url: str, seconds: float = 6) -> AmberfloClient:
    return AmberfloClient(KEY, url, url, seconds)


def cases(**named: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("script", named.values(), ids=[name.replace("_", " ") for name in named])


def chunked(*chunks: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(chunks)


def raw_deflate(body: bytes) -> bytes:
    return zlib.compress(body)[2:-4]


@cases(
    wrong_type=[answer(GOOD, "Content-Type: text/html")],
    no_type=[answer(GOOD)],
    wrong_charset_said=[answer(GOOD, "Content-Type: application/json; charset=utf-16")],
    unknown_encoding_said=[answer(GOOD, "Content-Encoding: rot13")],
    gzip=[answer(gzip.compress(GOOD), "Content-Encoding: gzip")],
    deflate=[answer(zlib.compress(GOOD), "Content-Encoding: deflate")],
    raw_deflate=[answer(raw_deflate(GOOD), "Content-Encoding: deflate")],
    no_length=[b"HTTP/1.1 200 OK\r\n\r\n" + GOOD],
    chunked=[chunked(b"4\r\n" + GOOD[:4] + b"\r\n", b"4\r\n" + GOOD[4:] + b"\r\n0\r\n\r\n")],
    continue_first=[b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + answer(GOOD)],
    told_twice=[answer(b'{"a": 0, "a": 1}')],
    in_pieces=slowly(answer(GOOD), seconds=0.2),
)
def test_an_odd_answer_that_makes_sense_is_taken(amberflo: Hostile, script: Script) -> None:
    amberflo.script = script
    assert client(amberflo.url).call("GET", "/meters") == {"a": 1}


@cases(
    html=[answer(b"<html>gateway</html>", "Content-Type: text/html")],
    utf_16=[answer(json.dumps({"a": "é"}).encode("utf-16"))],
    latin_1=[answer('{"a": "é"}'.encode("latin-1"))],
    lone_surrogate=[answer(rb'{"a": "\ud800"}')],
    deep=[answer(BRACKETS)],
    deep_objects=[answer(b'{"a":' * 100_000)],
    nan=[answer(b'{"a": NaN}')],
    infinite=[answer(b'{"a": Infinity}')],
    number_too_large=[answer(b'{"a": 1e999}')],
    two_values=[answer(GOOD + GOOD)],
    not_gzip=[answer(GOOD, "Content-Encoding: gzip")],
    broken_gzip=[answer(gzip.compress(GOOD * 100)[:20] + b"\xff" * 50, "Content-Encoding: gzip")],
    gzip_cut_off=[answer(gzip.compress(json.dumps(list(range(999))).encode())[:-900], "Content-Encoding: gzip")],
    too_many_encodings=[answer(GOOD, f"Content-Encoding: {', '.join(['gzip'] * 50)}")],
)
def test_an_answer_that_makes_no_sense_is_unavailability(amberflo: Hostile, script: Script) -> None:
    amberflo.script = script
    with pytest.raises(AmberfloUnavailable) as raised:
        client(amberflo.url).call("GET", "/meters")
    assert KEY not in str(raised.value)
    assert len(amberflo.requests) == 1


@cases(
    nothing=[],
    no_http=[b"SSH-2.0-OpenSSH_9.6\r\n"],
    wrong_status=[b"HTTP/1.1 abc\r\n\r\n"],
    half_a_body=[answer(GOOD).replace(b"Length: 8", b"Length: 9")],
    chunk_cut_off=[chunked(b"ff\r\n" + GOOD)],
    last_chunk_missing=[chunked(b"8\r\n" + GOOD + b"\r\n")],
    no_chunk_size=[chunked(b"zz\r\n" + GOOD)],
    negative_chunk_size=[chunked(b"-8\r\n" + GOOD)],
    two_lengths=[answer(GOOD, "Content-Length: 99")],
    many_headers=[answer(GOOD, *(f"X-{number}: x" for number in range(500)))],
    endless_header=[answer(GOOD, "X: " + "x" * 100_000)],
)
@pytest.mark.parametrize("ingest", [False, True])
def test_an_answer_that_is_no_http_or_breaks_off_is_unavailability(
    amberflo: Hostile, script: Script, *, ingest: bool
) -> None:
    amberflo.script = script
    one = client(amberflo.url)
    with pytest.raises(AmberfloUnavailable) as raised:
        one.ingest(b"[]") if ingest else one.call("GET", "/meters")
    assert KEY not in str(raised.value)
    assert len(amberflo.requests) == 1
    amberflo.script = [answer(GOOD)]
    assert one.call("GET", "/meters") == {"a": 1}, "the broken connection is not used again"


@cases(
    head=slowly(answer(GOOD), seconds=5),
    body=[answer(b" " * 50 + GOOD)[:-58], *slowly(b" " * 50 + GOOD, seconds=5)],
    chunks=[chunked(), *slowly(b"1\r\n \r\n" * 10 + b"8\r\n" + GOOD + b"\r\n0\r\n\r\n", seconds=5)],
    continues=[*([b"HTTP/1.1 100 Continue\r\n\r\n", 0.1] * 50), answer(GOOD)],
    body_that_stops=[answer(GOOD)[:-4], 5.0, GOOD[-4:]],
)
def test_an_answer_that_trickles_is_given_up_before_the_state_is(amberflo: Hostile, script: Script) -> None:
    """Each piece is in time, and the whole would be good, after the state's time."""
    amberflo.script = script
    with pytest.raises(AmberfloUnavailable, match="ReadTimeout"):
        client(amberflo.url, seconds=1).call("GET", "/meters")


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (NOTHING * 30, "gzip"),
        (gzip.compress(NOTHING * 30), "gzip, gzip"),
        (b" " * 50_000_000, "identity"),
    ],
    ids=["a thousand times as much", "a hundred thousand times", "as it is"],
)
def test_an_answer_without_end_is_refused_and_takes_no_memory(amberflo: Hostile, body: bytes, encoding: str) -> None:
    amberflo.script = [answer(body, f"Content-Encoding: {encoding}")]
    tracemalloc.start()
    try:
        with pytest.raises(AmberfloClientError, match="Ask for less") as raised:
            client(amberflo.url).call("POST", "/usage", {})
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_RESPONSE_BYTES
    finally:
        tracemalloc.stop()
    assert raised.value.status == 413


@cases(endless=[answer(NOTHING * 30, "Content-Encoding: gzip")], half_a_head=[b"HTTP/1.1 200 OK\r\nContent-Len"])
def test_usage_that_is_taken_is_taken_whatever_is_said_of_it(amberflo: Hostile, script: Script) -> None:
    amberflo.script = script
    client(amberflo.url).ingest(b"[]")


def test_whatever_bytes_come_the_error_has_a_name_that_the_workflows_know(amberflo: Hostile) -> None:
    chance = random.Random(7)  # noqa: S311 - has to be repeatable
    answers = [
        answer(GOOD),
        answer(gzip.compress(GOOD, mtime=0), "Content-Encoding: gzip"),
        chunked(b"8\r\n" + GOOD + b"\r\n0\r\n\r\n"),
        answer(b'{"message": "no"}', "Location: http://127.0.0.1:9/", "Retry-After: 0", status="429 Slow"),
    ]
    outcomes = set()
    for _ in range(500):
        sent = bytearray(chance.choice(answers))
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(sent))
            wrong = chance.choice([b"", b"\r\n", b"\xff\x00", b"-", b":;,", b"9" * 5, b"Content-Length: -1\r\n"])
            sent[place : place + chance.randint(0, 8)] = wrong
        amberflo.script = [bytes(sent)]
        try:
            outcomes.add(type(client(amberflo.url, seconds=1).call("GET", "/meters")))
        except AmberfloError as error:
            outcomes.add(type(error))
    assert outcomes >= {dict, AmberfloUnavailable, AmberfloThrottled}


def test_the_largest_answer_is_still_read(amberflo: Hostile) -> None:
    report = b'"' + b"x" * (MAX_RESPONSE_BYTES - 2) + b'"'
    amberflo.script = [answer(gzip.compress(report), "Content-Encoding: gzip")]
    assert len(client(amberflo.url).call("POST", "/usage", {})) == MAX_RESPONSE_BYTES - 2


@pytest.mark.parametrize(
    ("status", "error"), [(400, AmberfloClientError), (401, AmberfloUnauthorized), (429, AmberfloThrottled)]
)
@pytest.mark.parametrize(
    "body", [BRACKETS, b"<html>", b'{"message": 5}', b"\xff", b"x" * (MAX_RESPONSE_BYTES + 1)], ids=lambda b: b[:9]
)
def test_a_status_counts_even_with_a_body_that_makes_no_sense(
    amberflo: Hostile, status: int, error: type[Exception], body: bytes
) -> None:
    amberflo.script = [answer(body, status=f"{status} No")]
    with pytest.raises(error):
        client(amberflo.url).call("GET", "/meters")


def test_a_refusal_that_quotes_the_key_is_told_without_it(amberflo: Hostile) -> None:
    amberflo.script = [answer(json.dumps({"message": f"X-API-KEY {KEY} may not"}).encode(), status="400 No")]
    with pytest.raises(AmberfloClientError, match=r"X-API-KEY \(the API key\) may not"):
        client(amberflo.url).call("GET", "/meters")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "where",
    [lambda url: url, lambda url: url.replace("http:", ""), lambda _: "http://["],
    ids=["full", "short", "wrong"],
)
def test_no_redirect_is_followed_wherever_it_leads(amberflo: Hostile, status: int, where: Callable[[str], str]) -> None:
    with hostile() as other:
        headers = ("Content-Encoding: gzip", "Connection: close", f"Location: {where(other.url)}/")
        amberflo.script = [answer(NOTHING * 30, *headers, status=f"{status} Go")]
        for method in ("GET", "POST"):
            with pytest.raises(AmberfloUnavailable, match=str(status)):
                client(amberflo.url).call(method, "/meters", {})
        assert other.connections == 0


@pytest.mark.parametrize("value", ["3600", "-1", "nan", "inf", "1e9", "Wed, 21 Oct 2026 07:28:00 GMT", "", "0 0"])
def test_a_retry_after_that_is_no_short_wait_is_left_to_the_workflow(amberflo: Hostile, value: str) -> None:
    amberflo.script = [answer(b"", f"Retry-After: {value}", status="429 Slow")]
    with pytest.raises(AmberfloThrottled):
        client(amberflo.url).call("GET", "/meters")
    assert len(amberflo.requests) == 1


@pytest.mark.parametrize(("status", "error"), [(429, AmberfloThrottled), (503, AmberfloUnavailable)])
def test_a_short_retry_after_is_waited_out_of_a_throttle_only(
    amberflo: Hostile, status: int, error: type[Exception]
) -> None:
    amberflo.script = [answer(b"", "Retry-After: 0.1", status=f"{status} Slow")]
    with pytest.raises(error):
        client(amberflo.url).call("GET", "/meters")
    assert len(amberflo.requests) == (2 if status == 429 else 1)


def test_a_good_answer_leaves_its_connection_for_the_next_and_no_cookie(amberflo: Hostile) -> None:
    amberflo.keeps_open = True
    amberflo.script = [answer(gzip.compress(GOOD), "Content-Encoding: gzip", "Set-Cookie: tracked=1")]
    for _ in range(3):
        client(amberflo.url).call("GET", "/meters")
    assert (amberflo.connections, len(amberflo.requests)) == (1, 3)
    assert b"tracked" not in b"".join(amberflo.requests)


@pytest.mark.parametrize(
    "url", ["http://amberflo.invalid", "https://amberflo.invalid", "http://127.0.0.1:9", "http://[::1]:9"]
)
def test_an_amberflo_that_is_nowhere_is_unavailability(url: str) -> None:
    with pytest.raises(AmberfloUnavailable, match="ConnectionError") as raised:
        client(url).call("GET", "/meters")
    assert KEY not in str(raised.value)
