"""Names of tenants and meters. One that only looks like another would be counted, and billed to nobody."""

import re
from typing import Final

# Not shown, though to Unicode they are letters, marks or symbols: fillers, joiners, variation selectors.
_UNSEEN: Final = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")


def name_error(name: str) -> str:
    """What makes a name look like another one, empty if nothing does.

    Only what nobody can see is a fault: Amberflo does not document which characters it takes, and a meter that was
    made in its own console may have a name in any script.
    """
    if name != name.strip():
        return "begins or ends with a blank"
    if name.isprintable() and not _UNSEEN.search(name):
        return ""
    unseen = next(character for character in name if not character.isprintable() or _UNSEEN.match(character))
    return f"has a character in it that cannot be seen (U+{ord(unseen):04X})"
