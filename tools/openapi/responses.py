"""The headers and the error responses that the calls share."""

from typing import Any, Final

from amberflo_workflows.entrypoints.api_response import RETRY_AFTER_SECONDS

EXECUTION_ARN: Final = {"$ref": "#/components/headers/ExecutionArn"}
HEADERS: Final[dict[str, Any]] = {
    "ExecutionArn": {
        "description": "The ARN of the execution that returned this response; several ARNs, comma separated, if the "
        "usages were split into chunks. Absent if no execution was started.",
        "schema": {"type": "string"},
    },
    "RetryAfter": {
        "description": "Seconds to wait before the call is sent again.",
        "schema": {"type": "integer", "examples": [RETRY_AFTER_SECONDS]},
    },
}

_API: Final = {"$ref": "#/components/schemas/Problem"}
_GATEWAY: Final = {"$ref": "#/components/schemas/GatewayProblem"}
_API_OR_GATEWAY: Final = {"anyOf": [_API, _GATEWAY]}


def _build_problem(description: str, schema: dict[str, Any], **headers: str) -> dict[str, Any]:
    references = {} if schema is _GATEWAY else {"x-execution-arn": EXECUTION_ARN}
    for name, component in headers.items():
        references[name.replace("_", "-")] = {"$ref": f"#/components/headers/{component}"}
    response: dict[str, Any] = {"description": description}
    if references:
        response["headers"] = references
    return {**response, "content": {"application/json": {"schema": schema}}}


PROBLEMS: Final = {
    "BadRequest": _build_problem(
        "The request is invalid. It was not sent to Amberflo, or Amberflo rejected its content.", _API
    ),
    "Unauthorized": _build_problem("The token is missing or invalid.", _GATEWAY),
    "Forbidden": _build_problem("The token does not have the required scope.", _GATEWAY),
    "NotFound": _build_problem("The meter or the operation does not exist.", _API),
    "Conflict": _build_problem("The request conflicts with an existing resource.", _API),
    "TooLarge": _build_problem("The body or the response is too large for a workflow.", _API_OR_GATEWAY),
    "TooManyRequests": _build_problem("More calls than the API allows.", _GATEWAY),
    "Fault": _build_problem(
        "An internal error. The execution or the log of the `api` function shows the cause.", _API_OR_GATEWAY
    ),
    "BadGateway": _build_problem(
        "Amberflo failed or rejected the API key after all retries, or the API key or the ledger cannot be read.", _API
    ),
    "Throttled": _build_problem(
        "Amberflo or Step Functions throttled the call after all retries, or API Gateway could not wait.",
        _API_OR_GATEWAY,
        Retry_After="RetryAfter",
    ),
    "Late": _build_problem("The workflow timed out. What it started may still take effect.", _API),
}
_NAMES: Final = dict(zip((400, 401, 403, 404, 409, 413, 429, 500, 502, 503, 504), PROBLEMS, strict=True))
_GATEWAY_STATUSES: Final = (401, 403, 429, 500, 503)
_WORKFLOW_STATUSES: Final = (413, 502, 504)


def build_problems(*statuses: int, has_workflow: bool = True) -> dict[str, Any]:
    """References to the error responses of a call: those with these ``statuses``, and those that all calls share."""
    shared = (*_GATEWAY_STATUSES, *(_WORKFLOW_STATUSES if has_workflow else ()))
    return {
        str(status): {"$ref": f"#/components/responses/{_NAMES[status]}"} for status in sorted((*shared, *statuses))
    }
