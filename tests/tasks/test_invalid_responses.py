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
from tests.tasks.hostile import ZEROS, HostileServer, Script, build_response, run_hostile_server, spread

KEY = "key-that-must-not-leak"
VALID = b'{"a": 1}'
BRACKETS = b"[" * 100_000 + b"]" * 100_000


@pytest.fixture
def amberflo() -> Iterator[HostileServer]:
    with run_hostile_server() as server:
        yield server


def build_client(url: str, seconds: float = 6) -> AmberfloClient:
    return AmberfloClient(KEY, url, url, seconds)


def cases(**named: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("script", named.values(), ids=[name.replace("_", " ") for name in named])


def chunked(*chunks: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(chunks)


@cases(
    wrong_type=[build_response(VALID, "Content-Type: text/html")],
    no_type=[build_response(VALID)],
    wrong_charset=[build_response(VALID, "Content-Type: application/json; charset=utf-16")],
    unknown_encoding=[build_response(VALID, "Content-Encoding: rot13")],
    gzip=[build_response(gzip.compress(VALID), "Content-Encoding: gzip")],
    gzip_in_capitals=[build_response(gzip.compress(VALID), "Content-Encoding: GZIP")],
    gzip_of_two_members=[build_response(gzip.compress(VALID[:4]) + gzip.compress(VALID[4:]), "Content-Encoding: gzip")],
    two_encodings_that_it_has_not=[build_response(VALID, "Content-Encoding: gzip, gzip")],
    no_length=[b"HTTP/1.1 200 OK\r\n\r\n" + VALID],
    chunked=[chunked(b"4\r\n" + VALID[:4] + b"\r\n", b"4\r\n" + VALID[4:] + b"\r\n0\r\n\r\n")],
    continue_first=[b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + build_response(VALID)],
    member_twice=[build_response(b'{"a": 0, "a": 1}')],
    in_pieces=spread(build_response(VALID), seconds=0.2),
)
def test_an_unusual_response_is_accepted(amberflo: HostileServer, script: Script) -> None:
    amberflo.script = script
    assert build_client(amberflo.url).call("GET", "/meters") == {"a": 1}


@cases(
    html=[build_response(b"<html>gateway</html>", "Content-Type: text/html")],
    utf_16=[build_response(json.dumps({"a": "é"}).encode("utf-16"))],
    latin_1=[build_response('{"a": "é"}'.encode("latin-1"))],
    lone_surrogate=[build_response(rb'{"a": "\ud800"}')],
    deep=[build_response(BRACKETS)],
    deep_objects=[build_response(b'{"a":' * 100_000)],
    nan=[build_response(b'{"a": NaN}')],
    infinite=[build_response(b'{"a": Infinity}')],
    number_too_large=[build_response(b'{"a": 1e999}')],
    two_values=[build_response(VALID + VALID)],
    not_gzip=[build_response(VALID, "Content-Encoding: gzip")],
    broken_gzip=[build_response(gzip.compress(VALID * 100)[:20] + b"\xff" * 50, "Content-Encoding: gzip")],
    gzip_cut_off=[
        build_response(gzip.compress(json.dumps(list(range(999))).encode())[:-900], "Content-Encoding: gzip")
    ],
    compressed_twice=[build_response(gzip.compress(gzip.compress(VALID)), "Content-Encoding: gzip, gzip")],
    encoding_that_was_not_accepted=[build_response(zlib.compress(VALID), "Content-Encoding: deflate")],
)
def test_a_response_that_cannot_be_parsed_is_unavailability(amberflo: HostileServer, script: Script) -> None:
    amberflo.script = script
    with pytest.raises(AmberfloUnavailable) as error_info:
        build_client(amberflo.url).call("GET", "/meters")
    assert KEY not in str(error_info.value)
    assert len(amberflo.requests) == 1


@cases(
    nothing=[],
    no_http=[b"SSH-2.0-OpenSSH_9.6\r\n"],
    wrong_status=[b"HTTP/1.1 abc\r\n\r\n"],
    half_a_body=[build_response(VALID).replace(b"Length: 8", b"Length: 9")],
    chunk_cut_off=[chunked(b"ff\r\n" + VALID)],
    last_chunk_missing=[chunked(b"8\r\n" + VALID + b"\r\n")],
    no_chunk_size=[chunked(b"zz\r\n" + VALID)],
    negative_chunk_size=[chunked(b"-8\r\n" + VALID)],
    chunk_of_all_that_follows=[chunked(b"-1\r\n" + VALID)],
    two_lengths=[build_response(VALID, "Content-Length: 99")],
    many_headers=[build_response(VALID, *(f"X-{number}: x" for number in range(500)))],
    endless_header=[build_response(VALID, "X: " + "x" * 100_000)],
)
@pytest.mark.parametrize("ingest", [False, True])
def test_an_invalid_or_incomplete_response_is_unavailability(
    amberflo: HostileServer, script: Script, *, ingest: bool
) -> None:
    amberflo.script = script
    client = build_client(amberflo.url)
    with pytest.raises(AmberfloUnavailable) as error_info:
        client.ingest(b"[]") if ingest else client.call("GET", "/meters")
    assert KEY not in str(error_info.value)
    assert len(amberflo.requests) == 1
    amberflo.script = [build_response(VALID)]
    assert client.call("GET", "/meters") == {"a": 1}, "the broken connection must not be used again"


@cases(
    head=spread(build_response(VALID), seconds=5),
    body=[build_response(b" " * 50 + VALID)[:-58], *spread(b" " * 50 + VALID, seconds=5)],
    chunks=[chunked(), *spread(b"1\r\n \r\n" * 10 + b"8\r\n" + VALID + b"\r\n0\r\n\r\n", seconds=5)],
    continues=[*([b"HTTP/1.1 100 Continue\r\n\r\n", 0.1] * 50), build_response(VALID)],
    body_that_stops=[build_response(VALID)[:-4], 5.0, VALID[-4:]],
)
def test_a_response_that_trickles_fails_before_the_state_times_out(amberflo: HostileServer, script: Script) -> None:
    """Each piece arrives within the timeout, and the complete response would be valid, but too late."""
    amberflo.script = script
    with pytest.raises(AmberfloUnavailable, match="TimeoutError"):
        build_client(amberflo.url, seconds=1).call("GET", "/meters")


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (ZEROS * 30, "gzip"),
        (b" " * 50_000_000, "identity"),
    ],
    ids=["compressed", "uncompressed"],
)
def test_a_huge_response_is_an_error_and_does_not_fill_the_memory(
    amberflo: HostileServer, body: bytes, encoding: str
) -> None:
    amberflo.script = [build_response(body, f"Content-Encoding: {encoding}")]
    tracemalloc.start()
    try:
        with pytest.raises(AmberfloClientError, match="Request less") as error_info:
            build_client(amberflo.url).call("POST", "/usage", {})
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_RESPONSE_BYTES
    finally:
        tracemalloc.stop()
    assert error_info.value.status == 413


@cases(
    endless=[build_response(ZEROS * 30, "Content-Encoding: gzip")],
    half_a_head=[b"HTTP/1.1 200 OK\r\nContent-Len"],
    empty=[build_response(b"", "Content-Encoding: gzip")],
    gzip_cut_off=[build_response(gzip.compress(VALID)[:-9], "Content-Encoding: gzip")],
)
def test_ingest_succeeds_by_its_status_whatever_the_body_is(amberflo: HostileServer, script: Script) -> None:
    amberflo.script = script
    build_client(amberflo.url).ingest(b"[]")


def test_any_bytes_lead_to_a_response_or_an_error_that_the_workflows_catch(amberflo: HostileServer) -> None:
    generator = random.Random(7)  # noqa: S311 - has to be repeatable
    responses = [
        build_response(VALID),
        build_response(gzip.compress(VALID, mtime=0), "Content-Encoding: gzip"),
        chunked(b"8\r\n" + VALID + b"\r\n0\r\n\r\n"),
        build_response(b'{"message": "no"}', "Location: http://127.0.0.1:9/", "Retry-After: 0", status="429 Slow"),
    ]
    outcomes = set()
    for _ in range(500):
        data = bytearray(generator.choice(responses))
        for _ in range(generator.randint(1, 4)):
            position = generator.randrange(len(data))
            replacement = generator.choice(
                [b"", b"\r\n", b"\xff\x00", b"-", b":;,", b"9" * 5, b"Content-Length: -1\r\n"]
            )
            data[position : position + generator.randint(0, 8)] = replacement
        amberflo.script = [bytes(data)]
        try:
            outcomes.add(type(build_client(amberflo.url, seconds=1).call("GET", "/meters")))
        except AmberfloError as error:
            outcomes.add(type(error))
    assert outcomes >= {dict, AmberfloUnavailable, AmberfloThrottled}


def test_a_response_of_the_maximum_size_is_read(amberflo: HostileServer) -> None:
    report = b'"' + b"x" * (MAX_RESPONSE_BYTES - 2) + b'"'
    amberflo.script = [build_response(gzip.compress(report), "Content-Encoding: gzip")]
    assert len(build_client(amberflo.url).call("POST", "/usage", {})) == MAX_RESPONSE_BYTES - 2


@pytest.mark.parametrize(
    ("status", "error"), [(400, AmberfloClientError), (401, AmberfloUnauthorized), (429, AmberfloThrottled)]
)
@pytest.mark.parametrize(
    "body",
    [BRACKETS, b"<html>", b'{"message": 5}', b"\xff", b"x" * (MAX_RESPONSE_BYTES + 1)],
    ids=lambda body: body[:9],
)
def test_the_status_decides_even_if_the_body_cannot_be_parsed(
    amberflo: HostileServer, status: int, error: type[Exception], body: bytes
) -> None:
    amberflo.script = [build_response(body, status=f"{status} No")]
    with pytest.raises(error):
        build_client(amberflo.url).call("GET", "/meters")


def test_an_error_message_never_quotes_the_key(amberflo: HostileServer) -> None:
    amberflo.script = [build_response(json.dumps({"message": f"X-API-KEY {KEY} may not"}).encode(), status="400 No")]
    with pytest.raises(AmberfloClientError, match=r"X-API-KEY \(the API key\) may not"):
        build_client(amberflo.url).call("GET", "/meters")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "build_location",
    [lambda url: url, lambda url: url.replace("http:", ""), lambda _: "http://["],
    ids=["absolute", "without scheme", "invalid"],
)
def test_no_redirect_is_followed(amberflo: HostileServer, status: int, build_location: Callable[[str], str]) -> None:
    with run_hostile_server() as other:
        headers = ("Content-Encoding: gzip", "Connection: close", f"Location: {build_location(other.url)}/")
        amberflo.script = [build_response(ZEROS * 30, *headers, status=f"{status} Go")]
        for method in ("GET", "POST"):
            with pytest.raises(AmberfloUnavailable, match=str(status)):
                build_client(amberflo.url).call(method, "/meters", {})
        assert other.connections == 0


@pytest.mark.parametrize("value", ["3600", "-1", "nan", "inf", "1e9", "Wed, 21 Oct 2026 07:28:00 GMT", "", "0 0"])
def test_a_retry_after_that_is_not_a_short_wait_is_left_to_the_workflow(amberflo: HostileServer, value: str) -> None:
    amberflo.script = [build_response(b"", f"Retry-After: {value}", status="429 Slow")]
    with pytest.raises(AmberfloThrottled):
        build_client(amberflo.url).call("GET", "/meters")
    assert len(amberflo.requests) == 1


@pytest.mark.parametrize(("status", "error"), [(429, AmberfloThrottled), (503, AmberfloUnavailable)])
def test_a_short_retry_after_applies_to_throttling_only(
    amberflo: HostileServer, status: int, error: type[Exception]
) -> None:
    amberflo.script = [build_response(b"", "Retry-After: 0.1", status=f"{status} Slow")]
    with pytest.raises(error):
        build_client(amberflo.url).call("GET", "/meters")
    assert len(amberflo.requests) == (2 if status == 429 else 1)


def test_connections_are_reused_and_cookies_are_not(amberflo: HostileServer) -> None:
    amberflo.keeps_open = True
    amberflo.script = [build_response(gzip.compress(VALID), "Content-Encoding: gzip", "Set-Cookie: tracked=1")]
    for _ in range(3):
        build_client(amberflo.url).call("GET", "/meters")
    assert (amberflo.connections, len(amberflo.requests)) == (1, 3)
    assert b"tracked" not in b"".join(amberflo.requests)


@pytest.mark.parametrize(
    "url", ["http://amberflo.invalid", "https://amberflo.invalid", "http://127.0.0.1:9", "http://[::1]:9"]
)
def test_an_unreachable_amberflo_is_unavailability(url: str) -> None:
    with pytest.raises(AmberfloUnavailable, match=r"gaierror|ConnectionRefusedError|OSError") as error_info:
        build_client(url).call("GET", "/meters")
    assert KEY not in str(error_info.value)
