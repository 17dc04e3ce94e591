"""First step of every workflow: which version of the secret holds the API key in force.

In: ``{"refresh": bool, "execution": {"name"}}``. Out: ``{"secretId", "versionId", "refreshed": bool}``, never
the key. Raises ``ApiKeyUnavailable``.
"""

from typing import TypedDict

from amberflo_workflows.core.observability import logger
from amberflo_workflows.tasks.amberflo.api_key import api_keys


class Resolved(TypedDict):
    """The answer; ``refreshed`` tells the workflow that Secrets Manager was asked again for this execution."""

    secretId: str
    versionId: str
    refreshed: bool


def handler(event: dict[str, object], _context: object) -> Resolved:
    execution = event.get("execution")
    logger.set_correlation_id(str(execution.get("name")) if isinstance(execution, dict) else "")
    refresh = event.get("refresh") is True
    keys = api_keys()
    version_id = keys.current_version(refresh=refresh)
    logger.info("api key", extra={"version_id": version_id, "refreshed": refresh})
    return {"secretId": keys.secret_id, "versionId": version_id, "refreshed": refresh}
