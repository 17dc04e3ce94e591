"""The lines of a file, whose rows are otherwise known by the byte at which they begin."""

from collections.abc import Iterable

from amberflo_workflows.operate.backfill.source import UsageSource


def find_line_numbers(source: UsageSource, starts: Iterable[int]) -> dict[int, int]:
    """Return the number of the line, from 1, by the byte at which it starts.

    Reads the file up to the last of them. If it has become shorter, a byte beyond its end is in the last line. Raises
    :class:`~amberflo_workflows.core.file_encoding.InvalidFile`.
    """
    numbers: dict[int, int] = {}
    remaining = sorted(set(starts), reverse=True)
    piece_start, line = 0, 1
    pieces = source.read()
    while remaining and (piece := next(pieces, None)) is not None:
        position = 0
        while remaining and remaining[-1] <= piece_start + len(piece):
            end = remaining[-1] - piece_start
            line += piece.count(b"\n", position, end)
            position = end
            numbers[remaining.pop()] = line
        line += piece.count(b"\n", position)
        piece_start += len(piece)
    return numbers | dict.fromkeys(remaining, line)
