"""A page of a list that Amberflo returns completely and unordered, such as its meters.

A token has the key of the last element of its page, so it stays valid when elements are created or deleted.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec

from amberflo_workflows.core.page_token import decode_token, encode_token
from amberflo_workflows.core.response import PAGE_BYTES, StepResponse, success, text_size

Element: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]


def parse_page_start(token: str | None) -> Key:
    """Return the key after which a page starts. Raises ``msgspec.ValidationError``."""
    return decode_token(token, tuple[str, str]) if token else ("", "")


def build_sorted_page(
    elements: Sequence[Element], sort_key: Callable[[Element], Key], *, after: Key, limit: int | None
) -> StepResponse:
    """Build a response with at most ``limit`` elements after a key, and as many as fit into it uncompressed."""
    rest = sorted((element for element in elements if sort_key(element) > after), key=sort_key)
    page = _cut_to_size(rest[:limit])
    token = encode_token(sort_key(page[-1])) if page and len(page) < len(rest) else None
    return success(200, page, next_token=token)


def _cut_to_size(elements: Sequence[Element]) -> list[Element]:
    """Return the first elements, as many as fit into a page, and at least one."""
    free_bytes = PAGE_BYTES
    page: list[Element] = []
    for element in elements:
        free_bytes -= text_size(msgspec.json.encode(element).decode()) + 1  # the comma
        if free_bytes < 0 and page:
            break
        page.append(element)
    return page
