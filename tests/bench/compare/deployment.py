"""Deploys the one Lambda to a running local system, next to ours: with an HTTP API, and an event bus of its own."""

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from amberflo_workflows.infra.bundle import bundle
from amberflo_workflows.infra.settings import Runtime
from amberflo_workflows.local.system import System
from tests.bench.compare.functions import ONE_LAMBDA_MEMORY_MB, build_one_lambda

_NAME: Final = "one-lambda"
_SOURCE: Final = Path(__file__).with_name("one_lambda.py")
_ROUTES: Final = (
    "POST /meters",
    "GET /meters",
    "GET /meters/{meterId}",
    "PUT /meters/{meterId}",
    "DELETE /meters/{meterId}",
    "GET /usage/{meterId}",
    "DELETE /usage",
)


@dataclass(frozen=True)
class OneLambda:
    """The deployed function, the URL of its API with a slash at the end, and its bus."""

    function_name: str
    api_endpoint: str
    bus_name: str


def deploy_one_lambda(system: System) -> OneLambda:
    """Deploy it with the same runtime client, authorizer and Amberflo as our functions."""
    function = system.client("lambda").create_function(
        FunctionName=_NAME,
        Runtime="provided.al2023",
        Handler="one_lambda.handler",
        Role="arn:aws:iam::000000000000:role/any",
        Code={"ZipFile": _build_package()},
        MemorySize=ONE_LAMBDA_MEMORY_MB,
        Timeout=60,
        Environment={
            "Variables": {
                **build_one_lambda(system.amberflo_url).environment,
                "POWERTOOLS_SERVICE_NAME": _NAME,
                "POWERTOOLS_LOG_LEVEL": "INFO",
            }
        },
    )
    arn = function["FunctionArn"]
    return OneLambda(_NAME, _create_api(system, arn), _create_bus(system, arn))


def _build_package() -> bytes:
    """The packages of our bundle, with the one Lambda in place of our own modules."""
    code = bundle(Runtime.for_this_machine())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as package:
        package.write(_SOURCE, _SOURCE.name)
        for path in sorted(code.rglob("*")):
            name = path.relative_to(code)
            if path.is_file() and name.parts[0] != "amberflo_workflows":
                package.write(path, str(name))
    return buffer.getvalue()


def _create_api(system: System, function_arn: str) -> str:
    gateway, ours = system.client("apigatewayv2"), system.outputs["HttpApiId"]
    authorizer = gateway.get_authorizers(ApiId=ours)["Items"][0]
    api = gateway.create_api(Name=_NAME, ProtocolType="HTTP")["ApiId"]
    names = ("AuthorizerType", "IdentitySource", "JwtConfiguration", "Name")
    authorizer_id = gateway.create_authorizer(ApiId=api, **{name: authorizer[name] for name in names})["AuthorizerId"]
    integration = gateway.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=function_arn, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    for route in _ROUTES:
        gateway.create_route(
            ApiId=api,
            RouteKey=route,
            Target=f"integrations/{integration}",
            AuthorizationType="JWT",
            AuthorizerId=authorizer_id,
        )
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    return f"{system.emulator.url}/_aws/execute-api/{api}/$default/"


def _create_bus(system: System, function_arn: str) -> str:
    events: Any = system.client("events")
    events.create_event_bus(Name=_NAME)
    pattern = json.dumps({"detail-type": ["ingestUsage"]})
    events.put_rule(Name=_NAME, EventBusName=_NAME, EventPattern=pattern)
    events.put_targets(Rule=_NAME, EventBusName=_NAME, Targets=[{"Id": _NAME, "Arn": function_arn}])
    return _NAME
