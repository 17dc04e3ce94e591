"""``make attach``: add metering to a control plane of the SaaS Builder Toolkit that is already deployed.

The first argument names the control plane's stack, whose outputs are read. The other arguments go to ``cdk deploy``,
settings as ``-c key=value``. ``--own-authorizer`` creates a second authorizer instead of sharing the existing one.
The CDK command line keeps the previous value of a parameter that is not passed, so each is passed, if need be empty.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from amberflo_workflows.infra.arguments import parse_arguments
from amberflo_workflows.infra.deploy import cdk_deploy, fit_to_account
from amberflo_workflows.infra.node import NodeMissing
from amberflo_workflows.infra.operations import list_routes
from amberflo_workflows.infra.settings import AUTHORIZER_NAME, AUTHORIZER_PARAMETER, InvalidSetting

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
    plane: ControlPlane, gateway: Any, *, own_authorizer: bool, issuer: str | None = None, authorizer_id: str = ""
) -> dict[str, str]:
    """Build the parameters of our stack. ``issuer`` is the setting, ``authorizer_id`` a chosen authorizer of the API.

    Raises :class:`CannotAttach`.
    """
    if own_authorizer + bool(issuer) + bool(authorizer_id) > 1:
        raise CannotAttach(
            f"{OWN_AUTHORIZER}, -c issuer=… and --parameters {AUTHORIZER_PARAMETER}=… exclude each other: "
            "each of them selects another authorizer."
        )
    values = {name: plane.outputs[name] for name in _REQUIRED_OUTPUTS}
    values |= dict.fromkeys((AUTHORIZER_PARAMETER, *_IDENTITY_OUTPUTS), "")
    if own_authorizer:
        return values | _get_identity_outputs(plane)
    if not issuer:
        values[AUTHORIZER_PARAMETER] = authorizer_id or _find_shared_authorizer(plane, gateway)
    return values


def _find_shared_authorizer(plane: ControlPlane, gateway: Any) -> str:
    shared: list[str] = [
        authorizer["AuthorizerId"]
        for authorizer in _fetch_items(gateway, "get_authorizers", plane)
        if authorizer["AuthorizerType"] == "JWT" and authorizer["Name"] != AUTHORIZER_NAME
    ]
    if len(shared) != 1:
        raise CannotAttach(
            f"The control plane's API has {len(shared)} JWT authorizers, but exactly one is needed to share it. "
            f"Create a second one with {OWN_AUTHORIZER}, or select one with --parameters {AUTHORIZER_PARAMETER}=…"
        )
    return shared[0]


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
    keys = {f"{route.method} {route.path}" for route in list_routes().values()}
    taken = [
        route["RouteKey"]
        for route in _fetch_items(gateway, "get_routes", plane)
        if route["RouteKey"] in keys and route["RouteId"] not in own_ids
    ]
    if taken:
        raise CannotAttach(
            f"The control plane's API already has these routes: {', '.join(sorted(taken))}. If another stack of this "
            "package created them, name it with -c stackName=…; otherwise remove metering=… from the ControlPlane "
            "first. Follow docs/migration.md, so that no usage is lost."
        )


def _fetch_items(gateway: Any, operation: str, plane: ControlPlane) -> Iterator[dict[str, Any]]:
    pages = gateway.get_paginator(operation).paginate(ApiId=plane.api_id)
    items: Iterator[dict[str, Any]] = pages.search("Items[]")
    return items


def fetch_route_ids(cloudformation: Any, stack: str) -> frozenset[str]:
    """Fetch the ids of the routes that our stack already has, so that it can be deployed again.

    Raises botocore's errors, except that a stack that does not exist has no routes.
    """
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    try:
        resources = list(pages.search("StackResourceSummaries[]"))
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return frozenset()
    # On the emulator the physical id is API/ROUTE.
    return frozenset(
        resource.get("PhysicalResourceId", "").rpartition("/")[2]
        for resource in resources
        if resource["ResourceType"] == "AWS::ApiGatewayV2::Route"
    )


def main(arguments: Sequence[str]) -> int:
    """Check the control plane, then deploy."""
    if not arguments or arguments[0].startswith("-"):
        print(f"The stack of the control plane is required: {USAGE}", file=sys.stderr)
        return 2
    rest = [argument for argument in arguments[1:] if argument != OWN_AUTHORIZER]
    try:
        parsed = parse_arguments(rest)
        settings = parsed.build_settings("attach")
        session = parsed.create_session()
        cloudformation, gateway = session.client("cloudformation"), session.client("apigatewayv2")
        plane = fetch_control_plane(cloudformation, arguments[0])
        check_routes(plane, gateway, fetch_route_ids(cloudformation, settings.stack_name))
        values = build_stack_parameters(
            plane,
            gateway,
            own_authorizer=OWN_AUTHORIZER in arguments,
            issuer=settings.issuer,
            authorizer_id=parsed.parameters.get(AUTHORIZER_PARAMETER, ""),
        )
        parameters = [part for key, value in values.items() for part in ("--parameters", f"{key}={value}")]
        return cdk_deploy(" attach", [*parameters, *fit_to_account(session, settings, parsed.context), *rest])
    except (BotoCoreError, ClientError) as error:
        print(f"AWS: {error}", file=sys.stderr)
    except (CannotAttach, InvalidSetting, NodeMissing) as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
