"""The encoding of a file: read what can be read as UTF-8 lines, and say what else it is and what to do.

Files compressed with gzip, in UTF-16 with a byte order mark, or with lines that end with CR are decoded, by their
content and not their name. Everything that counts bytes of a file counts those of the decoded text.
"""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BOM: Final = b"\xef\xbb\xbf"
# The bytes at the start of a file that show its encoding.
HEAD_BYTES: Final = 1 << 16
PIECE_BYTES: Final = 1 << 18
_GZIP_MAGIC: Final = b"\x1f\x8b"
_UTF_16_BOMS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class InvalidFile(ValueError):
    """The file cannot be read as usages; the message says what is wrong and what to do."""


def is_encoded(head: bytes) -> bool:
    """Whether a file has to be decoded, which is possible from its start only. ``head`` is its first 64 kB."""
    return head.startswith((_GZIP_MAGIC, *_UTF_16_BOMS)) or _has_cr_line_ends(head)


def decode(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Yield the text of a file in UTF-8 with LF or CRLF. Raises :class:`InvalidFile` for damaged gzip or UTF-16."""
    return _convert_line_ends(_decode_utf_16(_decompress(pieces, name), name))


def skip_bytes(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    """Yield what is after the first ``count`` bytes."""
    for piece in pieces:
        if count < len(piece):
            yield piece[count:]
        count = max(count - len(piece), 0)


def read_pieces(file: io.BufferedIOBase) -> Iterator[bytes]:
    """Yield a file in pieces."""
    while piece := file.read(PIECE_BYTES):
        yield piece


def check_encoding(head: bytes) -> None:
    """Raise :class:`InvalidFile` if the first bytes of a decoded file show that it is not text in UTF-8.

    A single byte that is not UTF-8 is not looked for here: only its row is rejected.
    """
    if b"\0" in head[:4]:
        raise InvalidFile("The file is not UTF-8: it looks like UTF-16 or UTF-32. Save it as UTF-8.")


def describe_invalid_byte(error: UnicodeDecodeError) -> str:
    """Describe the byte that is not UTF-8."""
    return f"the byte 0x{error.object[error.start]:02x} is not UTF-8; save the file as UTF-8"


class _PieceReader(io.RawIOBase):
    """A file object that reads pieces, as :class:`gzip.GzipFile` requires."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        while not self._rest and (piece := next(self._pieces, None)) is not None:
            self._rest = piece
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._rest))
        target[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def _decompress(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    head, pieces = _peek(pieces, len(_GZIP_MAGIC))
    if not head.startswith(_GZIP_MAGIC):
        yield from pieces
        return
    try:
        with gzip.GzipFile(fileobj=io.BufferedReader(_PieceReader(pieces), PIECE_BYTES)) as file:
            yield from read_pieces(file)
    except (zlib.error, EOFError, OSError) as error:
        raise InvalidFile(
            f"{name} is not a complete gzip file: {str(error).rstrip('.')}. Create or upload it again."
        ) from None


def _decode_utf_16(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    head, pieces = _peek(pieces, len(codecs.BOM_UTF16_LE))
    if not head.startswith(_UTF_16_BOMS):
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder("utf-16")()
    try:
        for piece in pieces:
            yield decoder.decode(piece).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise InvalidFile(f"{name} is not complete UTF-16: {error}. Save it as UTF-8.") from None


def _convert_line_ends(pieces: Iterator[bytes]) -> Iterator[bytes]:
    # Not further than the first line, since a program may write the next one later.
    head, pieces = _peek(pieces, HEAD_BYTES, until=b"\n")
    if _has_cr_line_ends(head):
        return (piece.replace(b"\r", b"\n") for piece in pieces)
    return pieces


def _has_cr_line_ends(head: bytes) -> bool:
    return b"\n" not in head and b"\r" in head.rstrip()


def _peek(pieces: Iterator[bytes], size: int, until: bytes | None = None) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes, fewer if there are no more or these have ``until``, and all pieces."""
    head = b""
    while len(head) < size and not (until and until in head) and (piece := next(pieces, None)) is not None:
        head += piece
    return head[:size], chain([head], pieces)
