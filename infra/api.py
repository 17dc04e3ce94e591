"""The HTTP API in front of the ``api`` function, for stacks without a control plane of their own."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from aws_cdk import RemovalPolicy
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from amberflo_workflows.infra.operations import DOCUMENT, OPERATIONS, Route

# What a stage of an HTTP API serves before it answers 429: above what one Amberflo account takes by far.
RATE_LIMIT = 100
BURST_LIMIT = 200


class Scopes(NamedTuple):
    """The scopes that a token needs for reading and for changing; ``None`` asks for none."""

    read: str | None = None
    write: str | None = None

    def of(self, route: Route) -> list[str]:
        """What a route asks for, as API Gateway takes it."""
        scope = self.read if route.method == "GET" else self.write
        return [scope] if scope else []


ROUTES: Final = MappingProxyType({one.pascal_name: one.route for one in OPERATIONS if one.route})


def add_routes(
    scope: Construct,
    *,
    http_api: apigateway.IHttpApi,
    function: lambda_.IFunction,
    authorizer: apigateway.IHttpRouteAuthorizer,
    scopes: Scopes,
    routes: Mapping[str, Route] = ROUTES,
) -> None:
    """Put routes on an API, by default those of the table of operations, each behind the authorizer."""
    integration = HttpLambdaIntegration("Integration", function)
    for name, route in routes.items():
        apigateway.HttpRoute(
            scope,
            f"{name}Route",
            http_api=http_api,
            route_key=build_route_key(route),
            integration=integration,
            authorizer=authorizer,
            authorization_scopes=scopes.of(route),
        )


def build_route_key(route: Route) -> apigateway.HttpRouteKey:
    """A route as CDK has it."""
    return apigateway.HttpRouteKey.with_(route.path, apigateway.HttpMethod[route.method])


class MeteringApi(Construct):
    """An HTTP API of our own with every route on it, and the document that describes them."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        function: lambda_.Function,
        authorizer: apigateway.IHttpRouteAuthorizer,
        scopes: Scopes,
        retention: logs.RetentionDays,
    ) -> None:
        super().__init__(scope, id)
        self.http_api = apigateway.HttpApi(
            self, "HttpApi", description="Usage metering with Amberflo", create_default_stage=False
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
        group = logs.LogGroup(self, "AccessLog", retention=retention, removal_policy=RemovalPolicy.DESTROY)
        fields = ("requestId", "routeKey", "status", "responseLatency", "integrationErrorMessage")
        stage = self.stage.node.default_child
        if not isinstance(stage, apigateway.CfnStage):
            raise TypeError(f"an HTTP stage is a CfnStage, not a {type(stage).__name__}")
        stage.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=group.log_group_arn,
            # Neither tokens nor bodies; the authorizer's error is why a 401 was one.
            format=json.dumps(
                {field: f"$context.{field}" for field in fields}
                | {"authorizerError": "$context.authorizer.error", "time": "$context.requestTime"}
            ),
        )
