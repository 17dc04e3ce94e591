"""Names of tenants and meters. Usage under a name that only looks like another would be billed to nobody."""

import re
from functools import lru_cache
from typing import Final

# Invisible, although letters, marks or symbols in Unicode: fillers, joiners, variation selectors.
_INVISIBLE: Final = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")


# The usages of a chunk have few tenants and fewer meters.
@lru_cache(maxsize=4096)
def find_name_error(name: str) -> str:
    """Return what makes a name look like another one, or an empty text.

    Only invisible differences are errors: Amberflo does not document which characters it accepts, and a meter that was
    created in its own console may have a name in any script.
    """
    if name != name.strip():
        return "starts or ends with whitespace"
    if name.isprintable() and not _INVISIBLE.search(name):
        return ""
    character = next(character for character in name if not character.isprintable() or _INVISIBLE.match(character))
    return f"contains an invisible character (U+{ord(character):04X})"
