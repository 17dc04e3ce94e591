"""Metering for a control plane that is already deployed, in any language.

The parameters are outputs of a control plane of the SaaS Builder Toolkit; ``make attach`` reads them.
"""

from collections.abc import Sequence

from aws_cdk import Aws, CfnCondition, CfnParameter, CfnRule, CfnRuleAssertion, Environment, Fn, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_events as events
from constructs import Construct

from amberflo_workflows.infra.api import Scopes, add_routes
from amberflo_workflows.infra.monitoring import Monitoring, add_alarm_topic
from amberflo_workflows.infra.outputs import add_outputs, build_stack_outputs
from amberflo_workflows.infra.settings import AUTHORIZER_NAME, AUTHORIZER_PARAMETER, Runtime, Settings
from amberflo_workflows.infra.stack import add_metering


class AttachStack(Stack):
    """Adds all routes to the control plane's HTTP API, and rules to its bus for the events of both generations of SBT.

    With ``settings.issuer`` the stack adds a second authorizer for it to the API. Otherwise the parameter
    ``AuthorizerId`` selects the authorizer; if empty, the stack adds one for the pool and client of the parameters.
    """

    def __init__(
        self, scope: Construct, id: str, *, settings: Settings, runtime: Runtime, env: Environment | None = None
    ) -> None:
        super().__init__(scope, id, env=env, description="Usage metering with Amberflo, for a control plane")
        settings.check_kind("attach")
        endpoint = self._add_parameter("controlPlaneAPIEndpoint", "The control plane's output of this name")
        bus_arn = self._add_parameter("eventBridgeArn", "The control plane's output of this name")
        bus = events.EventBus.from_event_bus_arn(self, "ControlPlaneBus", bus_arn)
        self.metering = add_metering(self, settings, runtime, bus)
        # https://API.execute-api.REGION.amazonaws.com/
        api_id = Fn.select(0, Fn.split(".", Fn.select(2, Fn.split("/", endpoint))))
        http_api = apigateway.HttpApi.from_http_api_attributes(self, "ControlPlaneApi", http_api_id=api_id)
        add_routes(
            self,
            http_api=http_api,
            function=self.metering.api_function,
            authorizer=self._add_authorizer(api_id, settings),
            scopes=Scopes(settings.read_scope, settings.write_scope),
        )
        Monitoring(
            self,
            "Monitoring",
            metering=self.metering,
            http_api=http_api,
            topic=add_alarm_topic(self, settings.alarm_email),
            dashboard=settings.dashboard,
        )
        own_outputs = {"ControlPlaneApiEndpoint": endpoint, "EventBusName": bus.event_bus_name}
        add_outputs(self, build_stack_outputs(self.metering) | own_outputs)

    def _add_parameter(self, name: str, description: str, default: str | None = None) -> str:
        return CfnParameter(self, name, description=description, default=default).value_as_string

    def _add_authorizer(self, api_id: str, settings: Settings) -> apigateway.IHttpRouteAuthorizer:
        if settings.issuer:
            # No parameter can select another authorizer, also not by the value that an earlier deployment left.
            return self._refer_to(self._add_second(api_id, settings.issuer, settings.audience).ref)
        authorizer_id = self._add_parameter(
            AUTHORIZER_PARAMETER, "An authorizer of that API; if empty, a second one is created", ""
        )
        description = "The control plane's output of this name, for a second authorizer"
        pool = self._add_parameter("ControlPlaneIdpUserPoolId", description, "")
        client = self._add_parameter("ControlPlaneIdpClientId", description, "")
        CfnRule(
            self,
            "AnAuthorizer",
            rule_condition=Fn.condition_equals(authorizer_id, ""),
            assertions=[
                CfnRuleAssertion(
                    assert_=Fn.condition_not(Fn.condition_equals(value, "")),
                    assert_description=f"Specify {AUTHORIZER_PARAMETER}, or both ControlPlaneIdpUserPoolId and "
                    "ControlPlaneIdpClientId.",
                )
                for value in (pool, client)
            ],
        )
        condition = CfnCondition(self, "SecondAuthorizer", expression=Fn.condition_equals(authorizer_id, ""))
        second = self._add_second(api_id, f"https://cognito-idp.{Aws.REGION}.{Aws.URL_SUFFIX}/{pool}", [client])
        second.cfn_options.condition = condition
        return self._refer_to(Fn.condition_if(condition.logical_id, second.ref, authorizer_id).to_string())

    def _add_second(self, api_id: str, issuer: str, audience: Sequence[str]) -> apigateway.CfnAuthorizer:
        return apigateway.CfnAuthorizer(
            self,
            "Authorizer",
            api_id=api_id,
            authorizer_type="JWT",
            name=AUTHORIZER_NAME,
            identity_source=["$request.header.Authorization"],
            jwt_configuration=apigateway.CfnAuthorizer.JWTConfigurationProperty(issuer=issuer, audience=list(audience)),
        )

    def _refer_to(self, authorizer_id: str) -> apigateway.IHttpRouteAuthorizer:
        return apigateway.HttpAuthorizer.from_http_authorizer_attributes(
            self, "ChosenAuthorizer", authorizer_id=authorizer_id, authorizer_type="JWT"
        )
