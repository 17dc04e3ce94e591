"""The answers that calls have in common, above all those that are no success."""

from typing import Any, Final

from amberflo_workflows.entrypoints.api_response import RETRY_AFTER_SECONDS

EXECUTION_ARN: Final = {"$ref": "#/components/headers/ExecutionArn"}
HEADERS: Final[dict[str, Any]] = {
    "ExecutionArn": {
        "description": "The execution that gave this answer; several, comma separated, if usages were cut into chunks. "
        "It is absent if none was started.",
        "schema": {"type": "string"},
    },
    "RetryAfter": {
        "description": "Seconds after which a later call may do better.",
        "schema": {"type": "integer", "examples": [RETRY_AFTER_SECONDS]},
    },
}

_OURS: Final = {"$ref": "#/components/schemas/Problem"}
_GATEWAYS: Final = {"$ref": "#/components/schemas/GatewayProblem"}
_EITHERS: Final = {"anyOf": [_OURS, _GATEWAYS]}


def _problem(description: str, schema: dict[str, Any], **headers: str) -> dict[str, Any]:
    described: dict[str, Any] = {"description": description}
    if schema is not _GATEWAYS:
        described["headers"] = {"x-execution-arn": EXECUTION_ARN}
    if headers:
        named = {name.replace("_", "-"): {"$ref": f"#/components/headers/{which}"} for name, which in headers.items()}
        described.setdefault("headers", {}).update(named)
    return {**described, "content": {"application/json": {"schema": schema}}}


PROBLEMS: Final = {
    "BadRequest": _problem(
        "The request is wrong; nothing was sent to Amberflo, or Amberflo refused it for its content.", _OURS
    ),
    "Unauthorized": _problem("No token, or not a good one.", _GATEWAYS),
    "Forbidden": _problem("The token lacks the scope.", _GATEWAYS),
    "NotFound": _problem("There is no such meter.", _OURS),
    "Conflict": _problem("It disagrees with what is there already.", _OURS),
    "TooLarge": _problem("The body, or the answer, is larger than a workflow can carry.", _EITHERS),
    "TooManyRequests": _problem("More calls than the API takes.", _GATEWAYS),
    "Fault": _problem("A fault of ours; the execution or the log of the `api` function tells which.", _EITHERS),
    "BadGateway": _problem("Amberflo failed or refused our key after the retries, or the key cannot be read.", _OURS),
    "Throttled": _problem(
        "Amberflo or Step Functions kept throttling, or API Gateway could not wait.", _EITHERS, Retry_After="RetryAfter"
    ),
    "Late": _problem("The workflow's time ran out; what it began may still take effect.", _OURS),
}
_NAMES: Final = dict(zip((400, 401, 403, 404, 409, 413, 429, 500, 502, 503, 504), PROBLEMS, strict=True))
_OF_THE_GATEWAY: Final = (401, 403, 429, 500, 503)
_OF_WORKFLOWS: Final = (413, 502, 504)


def problems(*statuses: int, workflow: bool = True) -> dict[str, Any]:
    """The errors of a call: ``statuses`` of its own, and those that every call may have."""
    every = (*_OF_THE_GATEWAY, *(_OF_WORKFLOWS if workflow else ()), *statuses)
    return {str(status): {"$ref": f"#/components/responses/{_NAMES[status]}"} for status in sorted(every)}
