"""The design that is compared: one Lambda for all routes and all events, which calls Amberflo itself.

Written for the comparison, to do what the Lambda of the npm package does: it reads the API key when it is initialised,
has one connection pool, logs the complete event and Amberflo's response, and sends each usage event in a call of its
own. Left out, in its favour, are the tracer, and pydantic, which that Lambda imports to check path parameters.
"""

import json
import os
import time
from typing import Any

import boto3
import requests
from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.exceptions import BadRequestError
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

_RESERVED_MEMBERS = {"tenantId", "meterApiName", "meterValue"}
_DAY_SECONDS = 24 * 60 * 60

logger = Logger()
app = APIGatewayHttpResolver()
session = requests.Session()
session.mount("https://", HTTPAdapter(max_retries=Retry(total=3, backoff_factor=1, status_forcelist=[500, 502, 503])))


def _read_api_key() -> str:
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["API_KEY_SECRET_NAME"])
    key: str = json.loads(secret["SecretString"])[os.environ["API_KEY_SECRET_ID"]]
    return key


_API_KEY = _read_api_key()
_BASE_URL = os.environ["AMBERFLO_BASE_URL"]


def _call(method: str, path: str, payload: object = None) -> Any:
    logger.info("request", extra={"method": method, "url": _BASE_URL + path})
    headers = {"Accept-Encoding": "gzip", "Content-Type": "application/json", "X-API-KEY": _API_KEY}
    # Without a timeout, as there.
    response = session.request(method, _BASE_URL + path, json=payload, headers=headers)
    logger.info("response", extra={"status": response.status_code, "body": response.text})
    if 400 <= response.status_code < 500:
        raise BadRequestError(response.text)
    response.raise_for_status()
    try:
        return response.json() if response.text else {}
    except requests.exceptions.JSONDecodeError:
        return response.text


def _require(payload: dict[str, Any], *names: str) -> dict[str, Any]:
    if any(name not in payload for name in names):
        raise BadRequestError(f"The body needs {', '.join(names)}.")
    return payload


@app.post("/meters")
def create_meter() -> tuple[dict[str, Any], int]:
    """Create a meter."""
    payload = _require(app.current_event.json_body, "label", "meterApiName", "meterType")
    return {"data": _call("POST", "/meters", payload)}, 201


@app.get("/meters")
def list_meters() -> tuple[dict[str, Any], int]:
    """List meters."""
    return {"data": _call("GET", "/meters")}, 200


@app.get("/meters/<meter_id>")
def get_meter(meter_id: str) -> tuple[dict[str, Any], int]:
    """Read a meter."""
    return {"data": _call("GET", f"/meters/{meter_id}")}, 200


@app.put("/meters/<meter_id>")
def update_meter(meter_id: str) -> tuple[dict[str, Any], int]:
    """Replace a meter."""
    payload = _require(app.current_event.json_body, "label", "meterApiName", "meterType")
    return {"data": _call("PUT", "/meters", {"id": meter_id, **payload})}, 200


@app.delete("/meters/<meter_id>")
def delete_meter(meter_id: str) -> tuple[dict[str, Any], int]:
    """Delete a meter."""
    return {"data": _call("DELETE", f"/meters/{meter_id}")}, 200


@app.get("/usage/<meter_id>")
def fetch_usage(meter_id: str) -> tuple[dict[str, Any], int]:
    """Fetch usage, by default of the last day; the name of the meter is looked up unless the query has it."""
    query = dict(app.current_event.query_string_parameters or {})
    name = query.get("meterApiName") or _call("GET", f"/meters/{meter_id}").get("meterApiName")
    if not name:
        raise BadRequestError("The meter has no name.")
    time_range = {
        "startTimeInSeconds": query.get("startTimeInSeconds", int(time.time()) - _DAY_SECONDS),
        "endTimeInSeconds": query.get("endTimeInSeconds"),
    }
    payload = {"timeGroupingInterval": "DAY", "timeRange": time_range, **query, "meterApiName": name}
    return {"data": _call("POST", "/usage", payload)}, 200


@app.delete("/usage")
def cancel_usage() -> tuple[dict[str, Any], int]:
    """Cancel usage."""
    payload = _require(app.current_event.json_body, "meterApiName", "id", "ingestionTimeRange")
    rule = {**payload, "type": "by_property_filter_out"}
    return {"data": _call("POST", "/ingest-snapshot/custom-filtering-rules", rule)}, 200


def _ingest(detail: dict[str, Any]) -> Any:
    record = {
        "customerId": detail["tenantId"],
        "meterApiName": detail["meterApiName"],
        "meterValue": detail["meterValue"],
        "meterTimeInMillis": round(time.time() * 1000),
        "dimensions": {name: value for name, value in detail.items() if name not in _RESERVED_MEMBERS},
    }
    return _call("POST", "/ingest", record)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP, log_event=True)
def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Handle a request of an HTTP API, in payload format 2.0, or an event of EventBridge."""
    if event.get("detail-type") == "ingestUsage":
        return _ingest(event["detail"])
    return app.resolve(event, context)
