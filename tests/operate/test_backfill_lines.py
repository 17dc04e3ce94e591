"""The line of a row, by the byte at which it starts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from amberflo_workflows.operate.backfill.lines import find_line_numbers
from amberflo_workflows.operate.backfill.source import LocalFile

TEXT = b"header\r\na,1\n\nb,2\nlast"


@dataclass(frozen=True)
class InPieces(LocalFile):
    """The text in pieces of some bytes."""

    size_of_piece: int = 1

    def read(self, begin: int = 0) -> Iterator[bytes]:
        for start in range(begin, len(TEXT), self.size_of_piece):
            yield TEXT[start : start + self.size_of_piece]


@pytest.mark.parametrize("size_of_piece", [1, 2, 3, 7, 100])
def test_each_row_has_the_number_of_its_line(size_of_piece: int) -> None:
    source = InPieces(Path("unused"), size_of_piece)
    starts = {TEXT.index(text): line for line, text in enumerate((b"header", b"a,1", b"\nb", b"b,2", b"last"), 1)}
    assert find_line_numbers(source, starts) == starts
    assert find_line_numbers(source, []) == {}


def test_a_row_beyond_the_end_of_a_shorter_file_is_in_the_last_line() -> None:
    assert find_line_numbers(InPieces(Path("unused"), 4), [8, 1_000]) == {8: 2, 1_000: 5}
