"""The HTTP API: each route starts its workflow, waits for it, and gives its answer.

Requests are judged by the workflow's own steps, so that an execution started by hand is held to the same rules;
here only what cannot become an input at all is refused: what is not a JSON object, or is too large.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import BadRequestError, RequestEntityTooLargeError
from aws_lambda_powertools.utilities.typing import LambdaContext

from amberflo_workflows.entrypoints.api_response import ApiResponse, api_error, run_for_caller
from amberflo_workflows.entrypoints.call_identity import (
    CallIdentity,
    InvalidKey,
    KeyConflict,
    KeyStoreUnavailable,
    new_identity,
    stored_identity,
)
from amberflo_workflows.entrypoints.http_encoding import gateway_response
from amberflo_workflows.entrypoints.ingest import ingest
from amberflo_workflows.entrypoints.workflows import MAX_INPUT_BYTES

logger = Logger()
app = APIGatewayHttpResolver()

# The input of an execution, less room for the path's id.
MAX_REQUEST_BODY_BYTES: Final = MAX_INPUT_BYTES - 4_096
# Made by ``make openapi``.
DOCUMENT: Final = Path(__file__).with_name("openapi.json")


@app.post("/meters")
def create_meter() -> Response[Any]:
    """Create a meter."""
    return _run("create_meter", _body())


@app.get("/meters")
def list_meters() -> Response[Any]:
    """List meters."""
    return _run("list_meters", _query())


@app.get("/meters/<meter_id>")
def get_meter(meter_id: str) -> Response[Any]:
    """Read a meter."""
    return _run("get_meter", {"meterId": _decoded(meter_id)})


@app.put("/meters/<meter_id>")
def update_meter(meter_id: str) -> Response[Any]:
    """Change a meter."""
    return _run("update_meter", {**_body(), "meterId": _decoded(meter_id)})


@app.delete("/meters/<meter_id>")
def delete_meter(meter_id: str) -> Response[Any]:
    """Delete a meter."""
    return _run("delete_meter", {"meterId": _decoded(meter_id)})


@app.get("/usage/<meter_id>")
def fetch_usage(meter_id: str) -> Response[Any]:
    """Fetch usage."""
    return _run("fetch_usage", {**_query(), "meterId": _decoded(meter_id)})


@app.delete("/usage")
def cancel_usage() -> Response[Any]:
    """Cancel usage."""
    return _run("cancel_usage", _body())


@app.post("/ingest")
def ingest_usage() -> Response[Any]:
    """Count usage now; the other way in, for events, is the queue."""
    body = _body()
    try:
        call = _call_identity(body)
    except InvalidKey as error:
        return _respond(api_error(400, f"The request is wrong. {error}"))
    except KeyConflict as error:
        return _respond(api_error(409, str(error)))
    except KeyStoreUnavailable as error:
        logger.exception("idempotency key")
        return _respond(api_error(503, str(error)))
    return _respond(ingest(_machine_arns()["ingest_usage"], body, call))


@app.get("/openapi.json")
def document() -> Response[str]:
    """Describe this API."""
    return Response(
        status_code=200,
        content_type="application/json",
        # It changes with a deployment only; what is behind a token is for no shared cache.
        headers={"Cache-Control": "private, max-age=300"},
        body=DOCUMENT.read_text(),
    )


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda entry point for an HTTP API's payload format 2.0."""
    logger.set_correlation_id(str(event.get("requestContext", {}).get("requestId", "")))
    try:
        return app.resolve(event, context)
    except Exception:
        # Unhandled, the gateway would answer for us, and locally with the stack trace.
        logger.exception("unexpected")
        fault = {"statusCode": 500, "message": "The API failed for a reason of its own; its log tells which."}
        return {"statusCode": 500, "headers": {"Content-Type": "application/json"}, "body": json.dumps(fault)}


@cache
def _machine_arns() -> dict[str, str]:
    """ARN of each workflow by its name."""
    arns: dict[str, str] = json.loads(os.environ["STATE_MACHINE_ARNS"])
    return arns


def _call_identity(body: dict[str, Any]) -> CallIdentity:
    key = app.current_event.headers.get("idempotency-key")
    if key is None:
        return new_identity()
    return stored_identity(key, caller=_caller(), body=body, context=app.lambda_context)


def _caller() -> str:
    """Who calls, by the token: one caller's keys are nothing to another."""
    claims = app.current_event.raw_event["requestContext"].get("authorizer", {}).get("jwt", {}).get("claims", {})
    return str(claims.get("sub") or claims.get("client_id") or "")


def _run(workflow: str, request: object) -> Response[Any]:
    return _respond(run_for_caller(_machine_arns()[workflow], request))


def _respond(reply: ApiResponse) -> Response[Any]:
    return gateway_response(reply, app.current_event.headers.get("accept-encoding", ""))


def _decoded(from_route: str) -> str:
    """The path's id as the gateway decoded it; the router's own view of the path may still be escaped."""
    return app.current_event.path_parameters.get("meterId", from_route)


def _query() -> dict[str, str]:
    """Query parameters; one without a value is as good as absent."""
    return {name: value for name, value in app.current_event.query_string_parameters.items() if value}


def _body() -> dict[str, Any]:
    try:
        text = app.current_event.decoded_body or ""
    except UnicodeDecodeError:
        raise BadRequestError("The body is not UTF-8 text.") from None
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_REQUEST_BODY_BYTES:
        raise RequestEntityTooLargeError(
            f"The body has {size:,} bytes; at most {MAX_REQUEST_BODY_BYTES:,} can be taken at once."
        )
    try:
        body = msgspec.json.decode(text)
        # msgspec takes the last of two members with one name and says nothing.
        json.loads(text, object_pairs_hook=_check_names, parse_int=str, parse_float=str)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        raise BadRequestError(f"The body is not JSON: {error}.") from None
    if not isinstance(body, dict):
        raise BadRequestError("The body must be a JSON object.")
    return body


def _check_names(pairs: list[tuple[str, Any]]) -> None:
    names: set[str] = set()
    for name, _ in pairs:
        if name in names:
            raise BadRequestError(f"The body has '{name[:40]}' twice in one object.")
        names.add(name)
