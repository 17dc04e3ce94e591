"""Deploys functions to a running local system, next to ours: the one Lambda with an event bus, and the empty functions.

Each has an HTTP API of its own, and the same runtime client, authorizer and emulator as our functions.
"""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from amberflo_workflows.infra.bundle import bundle
from amberflo_workflows.infra.memory import get_memory_mb
from amberflo_workflows.infra.settings import Runtime
from amberflo_workflows.local.system import System
from tests.bench.compare.functions import ONE_LAMBDA_MEMORY_MB, build_one_lambda
from tests.workflows.asl import WORKFLOWS

_NAME: Final = "one-lambda"
_HERE: Final = Path(__file__).parent
_ROLE: Final = "arn:aws:iam::000000000000:role/any"
_ROUTES: Final = (
    "POST /meters",
    "GET /meters",
    "GET /meters/{meterId}",
    "PUT /meters/{meterId}",
    "DELETE /meters/{meterId}",
    "GET /usage/{meterId}",
    "DELETE /usage",
)
_EMPTY_ROUTES: Final = ("GET /meters/{meterId}",)


@dataclass(frozen=True)
class OneLambda:
    """The deployed function, the URL of its API with a slash at the end, and its bus."""

    function_name: str
    api_endpoint: str
    bus_name: str


@dataclass(frozen=True)
class EmptyFunctions:
    """URLs with a slash at the end: the API of the workflow with empty functions, and of one empty function."""

    workflow_endpoint: str
    alone_endpoint: str


def deploy_one_lambda(system: System) -> OneLambda:
    """Deploy it with its environment and memory."""
    environment = {
        **build_one_lambda(system.amberflo_url).environment,
        "POWERTOOLS_SERVICE_NAME": _NAME,
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }
    code = bundle(Runtime.for_this_machine())
    # The packages of our bundle, without our own modules.
    packages = {path: path.relative_to(code) for path in sorted(code.rglob("*")) if path.is_file()}
    files = {path: str(name) for path, name in packages.items() if name.parts[0] != "amberflo_workflows"}
    own = _Code(_build_package({_HERE / "one_lambda.py": "one_lambda.py", **files}), "one_lambda.handler")
    arn = _create_function(system, _NAME, own, environment, ONE_LAMBDA_MEMORY_MB)
    return OneLambda(_NAME, _create_api(system, _NAME, arn, _ROUTES), _create_bus(system, arn))


def deploy_empty_functions(system: System) -> EmptyFunctions:
    """Deploy the workflow of ``GET /meters/{id}`` with empty functions, and one empty function."""
    bootstrap = bundle(Runtime.for_this_machine()) / "bootstrap"
    package = _build_package({path: path.name for path in (*(_HERE / "empty").glob("*.py"), bootstrap)})

    def create(name: str, module: str, environment: Mapping[str, str], memory_mb: int) -> str:
        return _create_function(system, name, _Code(package, f"{module}.handler"), environment, memory_mb)

    steps = {name: create(f"empty-{name}", "step", {}, get_memory_mb(name)) for name in ("ResolveApiKey", "GetMeter")}
    definition = (WORKFLOWS / "get_meter.asl.json").read_text()
    for name, arn in steps.items():
        definition = definition.replace(f"${{{name}FunctionArn}}", arn)
    machine = system.client("stepfunctions").create_state_machine(
        name="empty", definition=definition, roleArn=_ROLE, type="EXPRESS"
    )
    environment = {"STATE_MACHINE_ARN": machine["stateMachineArn"]}
    front = create("empty-front", "front", environment, get_memory_mb("Api"))
    alone = create("empty-alone", "alone", {}, ONE_LAMBDA_MEMORY_MB)
    return EmptyFunctions(
        _create_api(system, "empty-front", front, _EMPTY_ROUTES),
        _create_api(system, "empty-alone", alone, _EMPTY_ROUTES),
    )


def _build_package(files: Mapping[Path, str]) -> bytes:
    """A package with these files, by their names in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as package:
        for path, name in files.items():
            package.write(path, name)
    return buffer.getvalue()


@dataclass(frozen=True)
class _Code:
    package: bytes
    handler: str


def _create_function(system: System, name: str, code: _Code, environment: Mapping[str, str], memory_mb: int) -> str:
    function = system.client("lambda").create_function(
        FunctionName=name,
        Runtime="provided.al2023",
        Handler=code.handler,
        Role=_ROLE,
        Code={"ZipFile": code.package},
        MemorySize=memory_mb,
        Timeout=60,
        Environment={"Variables": dict(environment)},
    )
    return str(function["FunctionArn"])


def _create_api(system: System, name: str, function_arn: str, routes: Sequence[str]) -> str:
    gateway, ours = system.client("apigatewayv2"), system.outputs["HttpApiId"]
    authorizer = gateway.get_authorizers(ApiId=ours)["Items"][0]
    api = gateway.create_api(Name=name, ProtocolType="HTTP")["ApiId"]
    members = ("AuthorizerType", "IdentitySource", "JwtConfiguration", "Name")
    authorizer_id = gateway.create_authorizer(ApiId=api, **{member: authorizer[member] for member in members})[
        "AuthorizerId"
    ]
    integration = gateway.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=function_arn, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    for route in routes:
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
