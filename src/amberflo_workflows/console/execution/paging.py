"""A piece of what is too much for one page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Slice(Generic[Item]):
    """Some items of ``count``; ``next`` is where the next ones begin, ``None`` if these were the last."""

    items: tuple[Item, ...]
    next: int | None
    count: int


def cut(items: Sequence[Item], start: int, size: int) -> Slice[Item]:
    """At most ``size`` items from ``start`` on."""
    end = start + size
    return Slice(tuple(items[start:end]), end if end < len(items) else None, len(items))
