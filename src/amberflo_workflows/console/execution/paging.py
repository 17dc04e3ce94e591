"""Slices of long lists, for tables that load more rows on demand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from amberflo_workflows.operate.errors import OperatorError

Item = TypeVar("Item")


@dataclass(frozen=True)
class Slice(Generic[Item]):
    """Some of ``count`` items; ``next`` is the index of the next slice, ``None`` after the last one."""

    items: tuple[Item, ...]
    next: int | None
    count: int


def parse_start(params: Mapping[str, str]) -> int:
    """Parse the index at which a slice starts, by default the first. Raises :class:`OperatorError`."""
    start = params.get("from", "0")
    if not start.isdecimal():
        raise OperatorError("The parameter 'from' must be a number.")
    return int(start)


def take_slice(items: Sequence[Item], start: int, size: int) -> Slice[Item]:
    """At most ``size`` items from the index ``start``."""
    end = start + size
    return Slice(tuple(items[start:end]), end if end < len(items) else None, len(items))
