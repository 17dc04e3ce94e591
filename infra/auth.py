"""Who may call the API: a Cognito pool with a machine client, or tokens of an issuer that is there already."""

from collections.abc import Sequence

from aws_cdk import Aws, Duration, Fn, RemovalPolicy
from aws_cdk import aws_cognito as cognito
from aws_cdk.aws_apigatewayv2_authorizers import HttpJwtAuthorizer
from constructs import Construct

from amberflo_workflows.infra.nag import acknowledge

TOKEN_LIFE = Duration.hours(1)


def given_issuer(issuer: str, audience: Sequence[str]) -> HttpJwtAuthorizer:
    """Accept the tokens of an OpenID issuer for an audience."""
    return HttpJwtAuthorizer(
        "Jwt", issuer, jwt_audience=list(audience), identity_source=["$request.header.Authorization"]
    )


class MachinePool(Construct):
    """A user pool without users: one client that gets tokens with its id and secret."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.pool = cognito.UserPool(
            self,
            "Pool",
            self_sign_up_enabled=False,
            password_policy=cognito.PasswordPolicy(
                min_length=12, require_digits=True, require_lowercase=True, require_uppercase=True, require_symbols=True
            ),
            removal_policy=RemovalPolicy.DESTROY,
        )
        acknowledge(
            self.pool,
            {
                "AwsSolutions-COG2": "No person signs in here; the one client is a machine.",
                "AwsSolutions-COG8": "The threat protection of the plus plan is for people who sign in.",
            },
        )
        # Prefixes are taken once in a region; the stack's own id makes this one ours.
        unique = Fn.select(2, Fn.split("/", Aws.STACK_ID))
        self.domain = self.pool.add_domain(
            "Domain", cognito_domain=cognito.CognitoDomainOptions(domain_prefix=f"metering-{unique}")
        )
        scope_ = cognito.ResourceServerScope(scope_name="use", scope_description="Call the metering API")
        server = self.pool.add_resource_server("Server", identifier="metering", scopes=[scope_])
        self.client = self.pool.add_client(
            "Client",
            generate_secret=True,
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(client_credentials=True),
                scopes=[cognito.OAuthScope.resource_server(server, scope_)],
            ),
            access_token_validity=TOKEN_LIFE,
        )

    def authorizer(self) -> HttpJwtAuthorizer:
        """Accept this pool's tokens for its client."""
        issuer = f"https://cognito-idp.{Aws.REGION}.{Aws.URL_SUFFIX}/{self.pool.user_pool_id}"
        return given_issuer(issuer, [self.client.user_pool_client_id])
