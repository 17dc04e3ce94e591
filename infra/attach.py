"""``make attach``: add metering to a control plane of the SaaS Builder Toolkit that is already deployed.

The first argument names the control plane's stack, whose outputs are read. The other arguments go to ``cdk deploy``,
settings as ``-c key=value``. ``--own-authorizer`` creates a second authorizer instead of sharing the existing one.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from amberflo_workflows.infra.deploy import cdk_deploy
from amberflo_workflows.infra.node import NodeMissing
from amberflo_workflows.infra.operations import OPERATIONS
from amberflo_workflows.infra.settings import AUTHORIZER_NAME, Settings

_REQUIRED_OUTPUTS: Final = ("controlPlaneAPIEndpoint", "eventBridgeArn")
_IDENTITY_OUTPUTS: Final = ("ControlPlaneIdpUserPoolId", "ControlPlaneIdpClientId")
OWN_AUTHORIZER: Final = "--own-authorizer"
USAGE: Final = f'make attach ARGS="CONTROL_PLANE_STACK [{OWN_AUTHORIZER}] [-c key=value …]"'


class CannotAttach(RuntimeError):
    """Metering cannot be added to this control plane; the message says why, and what to do."""


@dataclass(frozen=True)
class ControlPlane:
    """A deployed control plane, by the outputs of its stack."""

    outputs: Mapping[str, str]

    @property
    def api_id(self) -> str:
        """The id of its HTTP API."""
        return self.outputs["controlPlaneAPIEndpoint"].split("/")[2].split(".")[0]


def fetch_control_plane(cloudformation: Any, stack: str) -> ControlPlane:
    """Fetch the outputs of a stack. Raises :class:`CannotAttach` if it is not the stack of a control plane."""
    try:
        description = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except (BotoCoreError, ClientError) as error:
        raise CannotAttach(f"The stack {stack} cannot be read: {error}") from None
    outputs = {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}
    missing = [name for name in _REQUIRED_OUTPUTS if name not in outputs]
    if missing:
        raise CannotAttach(
            f"The stack {stack} has no output {' and no output '.join(missing)}, which a control plane of SBT 0.5 has. "
            "Specify the stack that contains the ControlPlane."
        )
    return ControlPlane(outputs)


def build_stack_parameters(
    plane: ControlPlane, gateway: Any, *, own_authorizer: bool, issuer: bool = False
) -> dict[str, str]:
    """Build the parameters of our stack. ``issuer`` is true if the setting ``issuer`` is set.

    Raises :class:`CannotAttach`.
    """
    values = {name: plane.outputs[name] for name in _REQUIRED_OUTPUTS}
    if issuer:
        return values
    if own_authorizer:
        return values | _get_identity_outputs(plane)
    shared = [
        authorizer["AuthorizerId"]
        for authorizer in _paginate(gateway.get_authorizers, ApiId=plane.api_id)
        if authorizer["AuthorizerType"] == "JWT" and authorizer["Name"] != AUTHORIZER_NAME
    ]
    if len(shared) != 1:
        raise CannotAttach(
            f"The control plane's API has {len(shared)} JWT authorizers, but exactly one is needed to share it. "
            f"Create a second one with {OWN_AUTHORIZER}, or select one with --parameters AuthorizerId=…"
        )
    return values | {"AuthorizerId": shared[0]}


def _get_identity_outputs(plane: ControlPlane) -> dict[str, str]:
    missing = [name for name in _IDENTITY_OUTPUTS if name not in plane.outputs]
    if missing:
        raise CannotAttach(
            f"The control plane has no output {missing[0]}, so its identity provider is not SBT's Cognito pool. Omit "
            f"{OWN_AUTHORIZER}, or set the issuer of its tokens with -c issuer=… -c audience=…"
        )
    return {name: plane.outputs[name] for name in _IDENTITY_OUTPUTS}


def check_routes(plane: ControlPlane, gateway: Any, own_ids: frozenset[str]) -> None:
    """Raise :class:`CannotAttach` if the API has routes of metering whose ids are not in ``own_ids``."""
    keys = {f"{operation.route.method} {operation.route.path}" for operation in OPERATIONS if operation.route}
    taken = [
        route["RouteKey"]
        for route in _paginate(gateway.get_routes, ApiId=plane.api_id)
        if route["RouteKey"] in keys and route["RouteId"] not in own_ids
    ]
    if taken:
        raise CannotAttach(
            f"The control plane's API already has these routes: {', '.join(sorted(taken))}. If another stack of this "
            "package created them, name it with -c stackName=…; otherwise remove metering=… from the ControlPlane "
            "first. Follow docs/migration.md, so that no usage is lost."
        )


def fetch_route_ids(cloudformation: Any, stack: str) -> frozenset[str]:
    """Fetch the ids of the routes that our stack already has, so that it can be deployed again."""
    try:
        resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    except ClientError:
        return frozenset()
    # On the emulator the physical id is API/ROUTE.
    return frozenset(
        resource.get("PhysicalResourceId", "").rpartition("/")[2]
        for resource in resources
        if resource["ResourceType"] == "AWS::ApiGatewayV2::Route"
    )


def _paginate(operation: Any, **arguments: str) -> Iterator[dict[str, Any]]:
    response = operation(**arguments)
    yield from response["Items"]
    while token := response.get("NextToken"):
        response = operation(**arguments, NextToken=token)
        yield from response["Items"]


def main(arguments: Sequence[str]) -> int:
    """Check the control plane, then deploy."""
    if not arguments or arguments[0].startswith("-"):
        print(f"The stack of the control plane is required: {USAGE}", file=sys.stderr)
        return 2
    import boto3  # noqa: PLC0415 - slow, and not needed for the usage message

    stack, own_authorizer = arguments[0], OWN_AUTHORIZER in arguments
    rest = [argument for argument in arguments[1:] if argument != OWN_AUTHORIZER]
    name = next((argument.removeprefix("stackName=") for argument in rest if argument.startswith("stackName=")), None)
    issuer = any(argument.startswith("issuer=") for argument in rest)
    try:
        cloudformation, gateway = boto3.client("cloudformation"), boto3.client("apigatewayv2")
        plane = fetch_control_plane(cloudformation, stack)
        check_routes(plane, gateway, fetch_route_ids(cloudformation, name or Settings().stack_name))
        values = build_stack_parameters(plane, gateway, own_authorizer=own_authorizer, issuer=issuer)
        parameters = [part for key, value in values.items() for part in ("--parameters", f"{key}={value}")]
        return cdk_deploy(" attach", [*parameters, *rest])
    except (BotoCoreError, ClientError) as error:
        print(f"AWS: {error}", file=sys.stderr)
    except (CannotAttach, NodeMissing) as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
