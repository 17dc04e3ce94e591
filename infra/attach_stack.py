"""Metering for a control plane that is deployed already, whatever language it was written in.

The parameters are what a control plane of the SaaS Builder Toolkit puts out; ``make attach`` reads them.
"""

from aws_cdk import Aws, CfnCondition, CfnParameter, CfnRule, CfnRuleAssertion, Environment, Fn, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_events as events
from constructs import Construct

from amberflo_workflows.infra.api import Scopes, add_routes
from amberflo_workflows.infra.monitoring import Monitoring, add_alarm_topic
from amberflo_workflows.infra.outputs import add_outputs, build_stack_outputs
from amberflo_workflows.infra.settings import AUTHORIZER_NAME, InvalidSetting, Runtime, Settings
from amberflo_workflows.infra.stack import add_metering


class AttachStack(Stack):
    """Every route on the control plane's own HTTP API, and rules on its bus for events of both generations.

    Behind the authorizer whose id is given as a parameter, else behind a second one: for ``settings.issuer``, or for
    the user pool and client that are given as parameters.
    """

    def __init__(
        self, scope: Construct, id: str, *, settings: Settings, runtime: Runtime, env: Environment | None = None
    ) -> None:
        super().__init__(scope, id, env=env, description="Usage metering with Amberflo, for a control plane")
        if settings.admin_email or settings.event_bus_name:
            raise InvalidSetting("adminEmail and eventBusName are the control plane's to decide; leave them out.")
        endpoint = self._parameter("controlPlaneAPIEndpoint", "The control plane's output of this name")
        bus_arn = self._parameter("eventBridgeArn", "The control plane's output of this name")
        bus = events.EventBus.from_event_bus_arn(self, "ControlPlaneBus", bus_arn)
        self.metering = add_metering(self, settings, runtime, bus)
        # https://API.execute-api.REGION.amazonaws.com/
        api_id = Fn.select(0, Fn.split(".", Fn.select(2, Fn.split("/", endpoint))))
        http_api = apigateway.HttpApi.from_http_api_attributes(self, "ControlPlaneApi", http_api_id=api_id)
        add_routes(
            self,
            http_api=http_api,
            function=self.metering.api_function,
            authorizer=self._authorizer(api_id, settings),
            scopes=Scopes(settings.read_scope, settings.write_scope),
        )
        Monitoring(
            self,
            "Monitoring",
            metering=self.metering,
            http_api=http_api,
            topic=add_alarm_topic(self, settings.alarm_email),
        )
        own = {"ControlPlaneApiEndpoint": endpoint, "EventBusName": bus.event_bus_name}
        add_outputs(self, build_stack_outputs(self.metering) | own)

    def _parameter(self, name: str, description: str, default: str | None = None) -> str:
        return CfnParameter(self, name, description=description, default=default).value_as_string

    def _authorizer(self, api_id: str, settings: Settings) -> apigateway.IHttpRouteAuthorizer:
        given = self._parameter("AuthorizerId", "An authorizer of that API; without it a second one is made", "")
        issuer, audience = settings.issuer, list(settings.audience)
        if not issuer:
            told = "The control plane's output of this name, for a second authorizer"
            pool = self._parameter("ControlPlaneIdpUserPoolId", told, "")
            client = self._parameter("ControlPlaneIdpClientId", told, "")
            CfnRule(
                self,
                "AnAuthorizer",
                rule_condition=Fn.condition_equals(given, ""),
                assertions=[
                    CfnRuleAssertion(
                        assert_=Fn.condition_not(Fn.condition_equals(value, "")),
                        assert_description="Give AuthorizerId, or both ControlPlaneIdpUserPoolId and "
                        "ControlPlaneIdpClientId.",
                    )
                    for value in (pool, client)
                ],
            )
            issuer, audience = f"https://cognito-idp.{Aws.REGION}.{Aws.URL_SUFFIX}/{pool}", [client]
        condition = CfnCondition(self, "SecondAuthorizer", expression=Fn.condition_equals(given, ""))
        second = apigateway.CfnAuthorizer(
            self,
            "Authorizer",
            api_id=api_id,
            authorizer_type="JWT",
            name=AUTHORIZER_NAME,
            identity_source=["$request.header.Authorization"],
            jwt_configuration=apigateway.CfnAuthorizer.JWTConfigurationProperty(issuer=issuer, audience=audience),
        )
        second.cfn_options.condition = condition
        return apigateway.HttpAuthorizer.from_http_authorizer_attributes(
            self,
            "ChosenAuthorizer",
            authorizer_id=Fn.condition_if(condition.logical_id, second.ref, given).to_string(),
            authorizer_type="JWT",
        )
