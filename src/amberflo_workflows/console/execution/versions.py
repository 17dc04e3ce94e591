"""Which versions an execution worked with, as far as its states tell."""

import json
from typing import Any, Final

from amberflo_workflows.operate.executions.model import Execution

_RESOLVING: Final = ("ResolveApiKey", "RefreshApiKey")


def key_versions(execution: Execution) -> list[str]:
    """The versions of the secret with the API key, in the order in which they were resolved."""
    found = (_version(state.output) for state in execution.states if state.name in _RESOLVING)
    return list(dict.fromkeys(version for version in found if version))


def _version(output: str | None) -> str:
    try:
        resolved: Any = json.loads(output or "null")
    except ValueError:
        return ""
    key = resolved.get("apiKey") if isinstance(resolved, dict) else None
    return str(key.get("versionId") or "") if isinstance(key, dict) else ""
