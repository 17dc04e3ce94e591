"""A stack with the parts of a control plane that metering uses, and with the outputs of an SBT stack."""

from pathlib import Path

from amberflo_workflows.infra.node import use_packaged_node

use_packaged_node()

from aws_cdk import App, AssetStaging, CfnOutput, Stack  # noqa: E402 - needs use_packaged_node first
from aws_cdk import aws_apigatewayv2 as apigateway  # noqa: E402 - as above
from aws_cdk import aws_cognito as cognito  # noqa: E402 - as above
from aws_cdk import aws_events as events  # noqa: E402 - as above
from aws_cdk.aws_apigatewayv2_authorizers import HttpJwtAuthorizer  # noqa: E402 - as above
from aws_cdk.aws_apigatewayv2_integrations import HttpUrlIntegration  # noqa: E402 - as above
from constructs import Construct  # noqa: E402 - as above

STACK = "TheirControlPlane"


class ControlPlaneStack(Stack):
    """User pool, clients, API, authorizer and bus, with the names that SBT 0.5 uses."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        pool = cognito.UserPool(self, "UserPool")
        scopes = [
            cognito.ResourceServerScope(scope_name=name, scope_description=name)
            for name in ("tenant_read", "tenant_write")
        ]
        server = pool.add_resource_server("Server", identifier="tenant", scopes=scopes)
        user = pool.add_client("UserClient", auth_flows=cognito.AuthFlow(user_password=True))
        machine = pool.add_client(
            "MachineClient",
            generate_secret=True,
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(client_credentials=True),
                scopes=[cognito.OAuthScope.resource_server(server, scope) for scope in scopes],
            ),
        )
        pool.add_domain("Domain", cognito_domain=cognito.CognitoDomainOptions(domain_prefix="their-control-plane"))
        api = apigateway.HttpApi(self, "controlPlaneAPI")
        issuer = f"https://cognito-idp.{self.region}.amazonaws.com/{pool.user_pool_id}"
        audience = [user.user_pool_client_id, machine.user_pool_client_id]
        api.add_routes(
            path="/tenants",
            methods=[apigateway.HttpMethod.GET],
            integration=HttpUrlIntegration("Tenants", "https://tenants.example.com"),
            authorizer=HttpJwtAuthorizer("tenantsAuthorizer", issuer, jwt_audience=audience),
        )
        outputs = {
            "controlPlaneAPIEndpoint": api.url or "",
            "eventBridgeArn": events.EventBus(self, "Bus").event_bus_arn,
            "ControlPlaneIdpUserPoolId": pool.user_pool_id,
            "ControlPlaneIdpClientId": user.user_pool_client_id,
            # Not an output of SBT.
            "MachineClientId": machine.user_pool_client_id,
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)


def synth_control_plane(outdir: Path) -> Path:
    AssetStaging.clear_asset_hash_cache()
    app = App(outdir=str(outdir), analytics_reporting=False)
    ControlPlaneStack(app, STACK)
    app.synth()
    return outdir
