"""``make attach``: add metering to a control plane of the SaaS Builder Toolkit that is deployed.

The first argument names its stack, whose outputs are read; the others go to ``cdk deploy``, settings as ``-c
key=value``. ``--own-authorizer`` makes a second authorizer instead of sharing the control plane's.
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
    """Metering cannot be added to that control plane; the message says why, and what to do."""


@dataclass(frozen=True)
class ControlPlane:
    """A deployed control plane, by the outputs of its stack."""

    outputs: Mapping[str, str]

    @property
    def api_id(self) -> str:
        """The id of its HTTP API."""
        return self.outputs["controlPlaneAPIEndpoint"].split("/")[2].split(".")[0]


def fetch_control_plane(cloudformation: Any, stack: str) -> ControlPlane:
    """The control plane of a stack. Raises :class:`CannotAttach` if it is none."""
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except (BotoCoreError, ClientError) as error:
        raise CannotAttach(f"The stack {stack} cannot be read: {error}") from None
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    missing = [name for name in _REQUIRED_OUTPUTS if name not in outputs]
    if missing:
        raise CannotAttach(
            f"The stack {stack} has no output {' and no output '.join(missing)}, which a control plane of SBT 0.5 has. "
            "Name the stack with the ControlPlane in it."
        )
    return ControlPlane(outputs)


def build_stack_parameters(
    plane: ControlPlane, gateway: Any, *, own_authorizer: bool, issuer: bool = False
) -> dict[str, str]:
    """The parameters of our stack for a control plane; with ``issuer`` a setting says who issues its tokens.

    Raises :class:`CannotAttach`.
    """
    values = {name: plane.outputs[name] for name in _REQUIRED_OUTPUTS}
    if issuer:
        return values
    if own_authorizer:
        return values | _get_identity_outputs(plane)
    shared = [
        one["AuthorizerId"]
        for one in _paginate(gateway.get_authorizers, ApiId=plane.api_id)
        if one["AuthorizerType"] == "JWT" and one["Name"] != AUTHORIZER_NAME
    ]
    if len(shared) != 1:
        raise CannotAttach(
            f"The control plane's API has {len(shared)} JWT authorizers, so there is not one to share; "
            f"make a second one with {OWN_AUTHORIZER}, or choose with --parameters AuthorizerId=…"
        )
    return values | {"AuthorizerId": shared[0]}


def _get_identity_outputs(plane: ControlPlane) -> dict[str, str]:
    missing = [name for name in _IDENTITY_OUTPUTS if name not in plane.outputs]
    if missing:
        raise CannotAttach(
            f"The control plane has no output {missing[0]}, so it has an identity provider of its own kind; leave out "
            f"{OWN_AUTHORIZER}, or tell who issues its tokens with -c issuer=… -c audience=…"
        )
    return {name: plane.outputs[name] for name in _IDENTITY_OUTPUTS}


def check_routes(plane: ControlPlane, gateway: Any, ours: frozenset[str]) -> None:
    """Raise :class:`CannotAttach` if the API has routes of metering that are not ``ours``, by their ids."""
    wanted = {f"{operation.route.method} {operation.route.path}" for operation in OPERATIONS if operation.route}
    taken = [
        route["RouteKey"]
        for route in _paginate(gateway.get_routes, ApiId=plane.api_id)
        if route["RouteKey"] in wanted and route["RouteId"] not in ours
    ]
    if taken:
        raise CannotAttach(
            f"The control plane's API has these routes already: {', '.join(sorted(taken))}. If a stack of ours made "
            "them, name it with -c stackName=…; else take metering=… out of the ControlPlane first, in the order that "
            "docs/migration.md gives, so that no usage is lost."
        )


def fetch_route_ids(cloudformation: Any, stack: str) -> frozenset[str]:
    """The ids of the routes that our stack has made already, so that it can be deployed anew."""
    try:
        resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    except ClientError:
        return frozenset()
    # The emulator puts the API's id before the route's.
    return frozenset(
        resource.get("PhysicalResourceId", "").rpartition("/")[2]
        for resource in resources
        if resource["ResourceType"] == "AWS::ApiGatewayV2::Route"
    )


def _paginate(ask: Any, **arguments: str) -> Iterator[dict[str, Any]]:
    answer = ask(**arguments)
    yield from answer["Items"]
    while token := answer.get("NextToken"):
        answer = ask(**arguments, NextToken=token)
        yield from answer["Items"]


def main(arguments: Sequence[str]) -> int:
    """Look at the control plane, then deploy."""
    if not arguments or arguments[0].startswith("-"):
        print(f"Name the stack of the control plane: {USAGE}", file=sys.stderr)
        return 2
    import boto3  # noqa: PLC0415 - slow, and not needed to be told of wrong use

    stack, own = arguments[0], OWN_AUTHORIZER in arguments
    rest = [argument for argument in arguments[1:] if argument != OWN_AUTHORIZER]
    name = next((argument.removeprefix("stackName=") for argument in rest if argument.startswith("stackName=")), None)
    issuer = any(argument.startswith("issuer=") for argument in rest)
    try:
        cloudformation, gateway = boto3.client("cloudformation"), boto3.client("apigatewayv2")
        plane = fetch_control_plane(cloudformation, stack)
        check_routes(plane, gateway, fetch_route_ids(cloudformation, name or Settings().stack_name))
        values = build_stack_parameters(plane, gateway, own_authorizer=own, issuer=issuer)
        given = [part for key, value in values.items() for part in ("--parameters", f"{key}={value}")]
        return cdk_deploy(" attach", [*given, *rest])
    except (BotoCoreError, ClientError) as error:
        print(f"AWS: {error}", file=sys.stderr)
    except (CannotAttach, NodeMissing) as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
