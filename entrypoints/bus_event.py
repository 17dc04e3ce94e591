"""An event of the bus that was passed to a Lambda, as text to pass on."""

import json
import re
from typing import Any, Final

# Characters that a message must not have by SQS's reference of SendMessage, or that UTF-8 cannot encode. In JSON each
# has an escape.
_MUST_BE_ESCAPED: Final = re.compile("[\ud800-\udfff\ufffe\uffff]")


def encode_event(event: dict[str, Any]) -> str:
    """Return the event as JSON, escaped only if necessary, since limits are counted in bytes."""
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return json.dumps(event, separators=(",", ":")) if _MUST_BE_ESCAPED.search(text) else text
