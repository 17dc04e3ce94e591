"""What an error's cause says. Lambda's is JSON: ``{"errorMessage", "errorType", "stackTrace"}``."""

import json
from typing import Any


def error_message(cause: str) -> str:
    """The sentence in a cause."""
    found = _parsed(cause)
    return str(found["errorMessage"]) if "errorMessage" in found else cause


def stack_trace(cause: str) -> list[str]:
    """The lines of the stack trace in a cause; none if there is none."""
    trace = _parsed(cause).get("stackTrace")
    return [line for entry in trace for line in str(entry).rstrip().split("\n")] if isinstance(trace, list) else []


def _parsed(cause: str) -> dict[str, Any]:
    try:
        found = json.loads(cause)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
