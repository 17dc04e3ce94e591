"""An event of the bus that was handed to a Lambda, as text to be handed on."""

import json
import re
from typing import Any, Final

# What a message may not hold, by SQS's reference of SendMessage, or UTF-8 cannot; JSON has an escape for each.
_ESCAPED: Final = re.compile("[\ud800-\udfff\ufffe\uffff]")


def event_text(event: dict[str, Any]) -> str:
    """The event as JSON, escaped only where it has to be: limits are counted in bytes."""
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return json.dumps(event, separators=(",", ":")) if _ESCAPED.search(text) else text
