"""The HTTP API in front of the ``api`` function, for stacks without an API of a control plane."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from aws_cdk import Duration
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from amberflo_workflows.infra.log_groups import build_vended_log_group
from amberflo_workflows.infra.operations import DOCUMENT, Route, list_routes

# The stage's throttle; above it, callers get a 429. One Amberflo account accepts far fewer requests.
RATE_LIMIT = 100
BURST_LIMIT = 200


class Scopes(NamedTuple):
    """The scopes that a token needs to read and to write; ``None`` requires no scope."""

    read: str | None = None
    write: str | None = None

    def for_route(self, route: Route) -> list[str]:
        """Return the authorization scopes of a route."""
        scope = self.read if route.method == "GET" else self.write
        return [scope] if scope else []


ROUTES: Final = MappingProxyType(list_routes())


def add_routes(
    scope: Construct,
    *,
    http_api: apigateway.IHttpApi,
    function: lambda_.IFunction,
    authorizer: apigateway.IHttpRouteAuthorizer,
    scopes: Scopes,
    routes: Mapping[str, Route] = ROUTES,
) -> None:
    """Add routes with an authorizer to an API, by default those in the table of operations."""
    integration = HttpLambdaIntegration("Integration", function)
    for name, route in routes.items():
        apigateway.HttpRoute(
            scope,
            f"{name}Route",
            http_api=http_api,
            route_key=build_route_key(route),
            integration=integration,
            authorizer=authorizer,
            authorization_scopes=scopes.for_route(route),
        )


def build_route_key(route: Route) -> apigateway.HttpRouteKey:
    """Build CDK's key of a route."""
    return apigateway.HttpRouteKey.with_(route.path, apigateway.HttpMethod[route.method])


def build_cors_options(origins: Sequence[str]) -> apigateway.CorsPreflightOptions:
    """Build the options with which pages of ``origins`` may call all routes, and read what a response says of itself.

    Without credentials: a page sends a token in a header, and no cookies.
    """
    return apigateway.CorsPreflightOptions(
        allow_origins=list(origins),
        allow_methods=[apigateway.CorsHttpMethod[method] for method in sorted({r.method for r in ROUTES.values()})],
        allow_headers=["authorization", "content-type", "idempotency-key"],
        expose_headers=["retry-after", "x-execution-arn"],
        max_age=Duration.hours(1),
    )


class MeteringApi(Construct):
    """The stack's own HTTP API with all routes, including the one for the OpenAPI document.

    Pages of ``cors_origins`` may call it in a browser.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        function: lambda_.Function,
        authorizer: apigateway.IHttpRouteAuthorizer,
        scopes: Scopes,
        retention: logs.RetentionDays,
        cors_origins: Sequence[str] = (),
    ) -> None:
        super().__init__(scope, id)
        self.http_api = apigateway.HttpApi(
            self,
            "HttpApi",
            description="Usage metering with Amberflo",
            create_default_stage=False,
            cors_preflight=build_cors_options(cors_origins) if cors_origins else None,
        )
        self.stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self.http_api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(rate_limit=RATE_LIMIT, burst_limit=BURST_LIMIT),
        )
        add_routes(
            self,
            http_api=self.http_api,
            function=function,
            authorizer=authorizer,
            scopes=scopes,
            routes={**ROUTES, "Document": DOCUMENT},
        )
        self._log_access(retention)

    def _log_access(self, retention: logs.RetentionDays) -> None:
        group = build_vended_log_group(self, "AccessLog", service="apigateway", retention=retention)
        fields = ("requestId", "routeKey", "status", "responseLatency", "integrationErrorMessage")
        stage = self.stage.node.default_child
        if not isinstance(stage, apigateway.CfnStage):
            raise TypeError(f"the HTTP stage must be a CfnStage, not a {type(stage).__name__}")
        stage.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=group.log_group_arn,
            # No tokens and no bodies. The authorizer's error shows why a call got a 401.
            format=json.dumps(
                {field: f"$context.{field}" for field in fields}
                | {"authorizerError": "$context.authorizer.error", "time": "$context.requestTime"}
            ),
        )
