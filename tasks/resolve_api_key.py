"""First step of every workflow: find the current version of the secret with the API key.

Input: ``{"refresh": bool, "execution": {"name"}}``. Output: ``{"secretId", "versionId", "refreshed": bool}``, never the
key. Raises ``ApiKeyUnavailable``.
"""

from typing import TypedDict

from amberflo_workflows.core.initialization import at_initialization
from amberflo_workflows.core.observability import logger
from amberflo_workflows.tasks.amberflo.api_key import api_keys


class ResolvedApiKey(TypedDict):
    """The output. ``refreshed`` says that Secrets Manager was queried again for this execution."""

    secretId: str
    versionId: str
    refreshed: bool


def handler(event: dict[str, object], _context: object) -> ResolvedApiKey:
    execution = event.get("execution")
    logger.set_correlation_id(str(execution.get("name")) if isinstance(execution, dict) else "")
    refresh = event.get("refresh") is True
    keys = api_keys()
    version_id = keys.current_version(refresh=refresh)
    return {"secretId": keys.secret_id, "versionId": version_id, "refreshed": refresh}


at_initialization(lambda: api_keys().current_version(refresh=False))
