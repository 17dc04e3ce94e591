"""The compared functions: how they are configured, and an event for each."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from amberflo_workflows.infra.settings import Settings
from tests.bench.events import build_message, build_usage
from tests.infra.conftest import get_functions, synth_template

CHAIN: Final = ("api", "resolve_api_key", "get_meter")
NAMES: Final = (*CHAIN, "ingest_queue", "send_usages")
ONE_LAMBDA: Final = "one Lambda"
# What Lambda gives to a function for which no memory is set, as the npm package does.
ONE_LAMBDA_MEMORY_MB: Final = 128
METER_ID: Final = "6b4be8b0-3a52-4a8c-a3b3-6b2bb5b0a9a1"
SECRET: Final = "AmberfloApiKey"
SECRET_FIELD: Final = "apiKey"
VERSION: Final = "00000000-0000-4000-8000-000000000001"
_ARN: Final = "arn:aws:states:us-east-1:000000000000:stateMachine:any"


@dataclass(frozen=True)
class Function:
    """A function with the environment variables that its template sets, and the event for it."""

    name: str
    module: str
    memory_mb: int
    environment: Mapping[str, str]
    event: Any


def read_functions(amberflo_url: str, folder: Path) -> list[Function]:
    """Read our functions from the template, synthesised into ``folder``, and add the one Lambda."""
    events = _build_events()
    return [
        *read_own_functions(amberflo_url, folder, {name: events[name] for name in NAMES}),
        build_one_lambda(amberflo_url, events["api"]),
    ]


def read_own_functions(amberflo_url: str, folder: Path, events: Mapping[str, Any]) -> list[Function]:
    """Read the functions that ``events`` has an event for, from the template, synthesised into ``folder``."""
    settings = Settings(amberflo_base_url=amberflo_url, amberflo_api_key_secret_name=SECRET)
    functions = get_functions(synth_template(folder, "local", settings))
    return [_read_function(name, functions[name], event) for name, event in events.items()]


def build_step_event(request: Any, *, seconds: int) -> dict[str, Any]:
    """The event of a step that calls Amberflo."""
    return {
        "request": request,
        "apiKey": {"secretId": SECRET, "versionId": VERSION, "refreshed": False},
        "execution": {"name": "execution", "startTime": "2026-11-24T10:00:00Z"},
        "retryCount": 0,
        "timeoutSeconds": seconds,
    }


def build_chunk_usage(number: int) -> dict[str, Any]:
    """A usage in the input of ``ingest_usage``."""
    return {"eventId": "event", "eventTime": "2026-11-24T10:00:00Z", "index": number, "usage": build_usage(number)}


def build_one_lambda(amberflo_url: str, event: Any = None) -> Function:
    """The one Lambda, with the variables that it reads."""
    environment = {
        "API_KEY_SECRET_NAME": SECRET,
        "API_KEY_SECRET_ID": SECRET_FIELD,
        "AMBERFLO_BASE_URL": amberflo_url,
    }
    return Function(ONE_LAMBDA, "one_lambda", ONE_LAMBDA_MEMORY_MB, environment, event)


def _read_function(name: str, properties: dict[str, Any], event: Any) -> Function:
    variables = properties["Environment"]["Variables"]
    environment = {variable: _resolve(value) for variable, value in variables.items()}
    module = properties["Handler"].removesuffix(".handler")
    return Function(name, module, properties["MemorySize"], environment, event)


def _resolve(value: Any) -> str:
    """A value of the template, with the same ARN for every resource, since the services accept any."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(map(_resolve, parts))
    return _ARN


def build_http_event(method: str, path: str, *, route: str = "", body: Any = None, **parameters: str) -> dict[str, Any]:
    """A request of an HTTP API, in payload format 2.0."""
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "bench"}
    authorizer = {"jwt": {"claims": {"sub": "caller"}, "scopes": []}}
    return {
        "version": "2.0",
        "routeKey": f"{method} {route or path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"accept": "*/*", "content-type": "application/json", "host": "127.0.0.1"},
        "pathParameters": parameters,
        "requestContext": {"http": http, "requestId": "request", "stage": "$default", "authorizer": authorizer},
        "isBase64Encoded": False,
        **({"body": json.dumps(body)} if body is not None else {}),
    }


def _build_events() -> dict[str, Any]:
    return {
        "api": build_http_event("GET", f"/meters/{METER_ID}", route="/meters/{meterId}", meterId=METER_ID),
        "resolve_api_key": {"refresh": False, "execution": {"name": "execution"}},
        "get_meter": build_step_event({"meterId": METER_ID}, seconds=6),
        "ingest_queue": {"Records": [build_message(0, build_usage(0))]},
        "send_usages": build_step_event({"usages": [build_chunk_usage(0)]}, seconds=15),
    }
