"""The memory of each function. CPU grows with it: 1,769 MB have a full core."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# With less, the imports take so long that it costs more.
DEFAULT_MEMORY_MB: Final = 512
# The functions that other memory suits better, by their names.
MEMORY_MB: Final[Mapping[str, int]] = MappingProxyType({})


def get_memory_mb(name: str) -> int:
    """Return the memory of the function with this name in Pascal case."""
    return MEMORY_MB.get(name, DEFAULT_MEMORY_MB)
