"""Whether the bytes of a file are text in UTF-8, and if not, what they are and what to do."""

from typing import Final

BOM: Final = b"\xef\xbb\xbf"
_GZIP_MAGIC: Final = b"\x1f\x8b"
_UTF_16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")


class InvalidFile(ValueError):
    """The file cannot be read as usages; the message says what is wrong and what to do."""


def check_encoding(head: bytes) -> None:
    """Raise :class:`InvalidFile` if the first bytes of a file show that it is not text in UTF-8.

    A single byte that is not UTF-8 is not looked for here: only its row is rejected.
    """
    if head.startswith(_GZIP_MAGIC):
        raise InvalidFile("The content is compressed with gzip. Decompress it, or give it a name that ends in .gz.")
    if head.startswith(_UTF_16_BOMS) or b"\0" in head[:4]:
        raise InvalidFile("The file is not UTF-8: it looks like UTF-16. Save it as UTF-8.")


def check_line_ends(head: bytes) -> None:
    """Raise :class:`InvalidFile` if the lines at the start of a file end with CR only."""
    if b"\n" not in head and b"\r" in head.rstrip():
        raise InvalidFile("The lines of the file end with CR only. Save it with line ends LF or CRLF.")


def describe_invalid_byte(error: UnicodeDecodeError) -> str:
    """Describe the byte that is not UTF-8."""
    return f"the byte 0x{error.object[error.start]:02x} is not UTF-8; save the file as UTF-8"
