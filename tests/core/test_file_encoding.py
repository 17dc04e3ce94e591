import gzip
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amberflo_workflows.core.file_encoding import (
    HEAD_BYTES,
    InvalidFile,
    decode,
    is_encoded,
    read_pieces,
    skip_bytes,
)

TEXT = "tenantId,note\nacme,caf\u00e9 \ud55c \U0001f600\n"


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    return iter([data[start : start + size] for start in range(0, len(data), size)])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1 << 20])
@pytest.mark.parametrize("count", [0, 1, 2_000])
def test_the_text_does_not_depend_on_encoding_or_pieces(size: int, count: int) -> None:
    plain = TEXT.encode() * count
    encoded = {
        "gzip": gzip.compress(plain),
        "gzip members": gzip.compress(plain[:30]) + gzip.compress(plain[30:]) + bytes(100),
        "utf-16": (TEXT * count).encode("utf-16"),
        "utf-16-be": b"\xfe\xff" + (TEXT * count).encode("utf-16-be"),
        "cr": plain.replace(b"\n", b"\r"),
        "gzip of utf-16 with cr": gzip.compress((TEXT * count).replace("\n", "\r").encode("utf-16")),
    }
    for name, data in encoded.items():
        assert b"".join(decode(_pieces(data, size), "f")) == plain, name
        assert is_encoded(data[:HEAD_BYTES]) or not data, name
    for data in (plain, TEXT.replace("\n", "\r\n").encode() * count):
        assert b"".join(decode(_pieces(data, size), "f")) == data
        assert not is_encoded(data[:HEAD_BYTES])


@given(st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\r\n", b"b" * HEAD_BYTES]), max_size=6), st.integers(1, 5))
def test_a_file_is_decoded_exactly_if_its_first_bytes_show_it(parts: list[bytes], size: int) -> None:
    data = b"".join(parts)
    pieces = _pieces(data, size if len(data) < HEAD_BYTES else HEAD_BYTES + size)
    assert b"".join(decode(pieces, "f")) == (data.replace(b"\r", b"\n") if is_encoded(data[:HEAD_BYTES]) else data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (gzip.compress(TEXT.encode())[:-5], "f is not a complete gzip file: .* Create or upload it again"),
        (gzip.compress(TEXT.encode())[:12] + b"\xff" * 30, "f is not a complete gzip file"),
        (b"\x1f\x8bnot gzip", "f is not a complete gzip file"),
        (gzip.compress(TEXT.encode()) + b"more", "f is not a complete gzip file"),
        (TEXT.encode("utf-16")[:-1], "f is not complete UTF-16"),
        (b"\xff\xfe\x00\xd8a\x00", "f is not complete UTF-16"),
    ],
    ids=["cut", "damaged", "no gzip", "more", "half a unit", "half a pair"],
)
def test_damaged_data_is_an_error(data: bytes, message: str) -> None:
    with pytest.raises(InvalidFile, match=message):
        b"".join(decode(_pieces(data, 9), "f"))


def test_a_line_is_available_before_the_next_one_is_written() -> None:
    def write() -> Iterator[bytes]:
        yield b"one\n"
        raise AssertionError("the next line was requested")

    assert next(decode(write(), "f")) == b"one\n"


@given(st.binary(max_size=20), st.integers(1, 7), st.integers(0, 30))
def test_bytes_are_skipped(data: bytes, size: int, count: int) -> None:
    assert b"".join(skip_bytes(_pieces(data, size), count)) == data[count:]


def test_a_file_is_read_completely() -> None:
    assert b"".join(read_pieces(io.BytesIO(b"x" * 600_000))) == b"x" * 600_000
