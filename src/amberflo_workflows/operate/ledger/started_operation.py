"""An operation of the API that a call starts, and whose outcome others ask for."""

import time
from typing import Any, Final

from amberflo_workflows.operate.api_client import ApiClient
from amberflo_workflows.operate.errors import OperatorError

_POLL_SECONDS: Final = 0.5


def wait_for_result(client: ApiClient, resource: str, operation: str) -> dict[str, Any]:
    """Return the result of the operation with this id when there is one. Raises :class:`OperatorError`.

    ``resource`` is the first part of its path.
    """
    while True:
        data = client.call("GET", resource, operation)["data"]
        if data["status"] == "succeeded":
            return dict(data["result"])
        if data["status"] == "failed":
            raise OperatorError(
                f"The execution {operation} failed with {data.get('error')}. See: {client.command} executions list "
                "--status failed"
            )
        time.sleep(_POLL_SECONDS)
