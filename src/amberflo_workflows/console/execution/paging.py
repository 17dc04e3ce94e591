"""Slices of long lists, for tables that load more rows on demand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Slice(Generic[Item]):
    """Some of ``count`` items; ``next`` is the index of the next slice, ``None`` after the last one."""

    items: tuple[Item, ...]
    next: int | None
    count: int


def take_slice(items: Sequence[Item], start: int, size: int) -> Slice[Item]:
    """At most ``size`` items from the index ``start``."""
    end = start + size
    return Slice(tuple(items[start:end]), end if end < len(items) else None, len(items))
