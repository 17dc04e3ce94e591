"""The versions of the API key that an execution used, from the output of its states."""

import json
from typing import Any, Final

from amberflo_workflows.operate.executions.model import Execution

_KEY_STATES: Final = ("ResolveApiKey", "RefreshApiKey")


def find_key_versions(execution: Execution) -> list[str]:
    """The versions of the secret with the API key, in the order in which they were resolved."""
    versions = (_parse_version(state.output) for state in execution.states if state.name in _KEY_STATES)
    return list(dict.fromkeys(version for version in versions if version))


def _parse_version(output: str | None) -> str:
    try:
        resolved: Any = json.loads(output or "null")
    except ValueError:
        return ""
    key = resolved.get("apiKey") if isinstance(resolved, dict) else None
    return str(key.get("versionId") or "") if isinstance(key, dict) else ""
