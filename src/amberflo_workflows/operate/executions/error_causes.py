"""The cause of an error. Lambda's is JSON: ``{"errorMessage", "errorType", "stackTrace"}``."""

import json
from typing import Any


def parse_error_message(cause: str) -> str:
    """Return the message in a cause; the cause itself if it is not Lambda's JSON."""
    members = _parse_cause(cause)
    return str(members["errorMessage"]) if "errorMessage" in members else cause


def parse_stack_trace(cause: str) -> list[str]:
    """Return the lines of the stack trace in a cause, if it has one."""
    trace = _parse_cause(cause).get("stackTrace")
    return [line for entry in trace for line in str(entry).rstrip().split("\n")] if isinstance(trace, list) else []


def _parse_cause(cause: str) -> dict[str, Any]:
    try:
        members = json.loads(cause)
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}
