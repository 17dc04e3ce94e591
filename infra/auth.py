"""The authorizers of the API: for a Cognito user pool of the stack, or for an existing issuer of tokens."""

from collections.abc import Sequence

from aws_cdk import Aws, CfnCondition, Duration, Fn, RemovalPolicy
from aws_cdk import aws_cognito as cognito
from aws_cdk.aws_apigatewayv2_authorizers import HttpJwtAuthorizer
from constructs import Construct

from amberflo_workflows.infra.api import Scopes
from amberflo_workflows.infra.functions import Functions
from amberflo_workflows.infra.nag import acknowledge
from amberflo_workflows.infra.settings import READ_SCOPE, WRITE_SCOPE

TOKEN_VALIDITY = Duration.hours(1)


def build_issuer_authorizer(issuer: str, audience: Sequence[str]) -> HttpJwtAuthorizer:
    """Build an authorizer that accepts the tokens of an OpenID issuer for an audience."""
    return HttpJwtAuthorizer(
        "Jwt", issuer, jwt_audience=list(audience), identity_source=["$request.header.Authorization"]
    )


class CognitoPool(Construct):
    """A user pool with a client for machines. With ``admin_email`` it also has a client for people and a first user.

    If ``scopes`` are set, the access tokens of people have both scopes of the pool, since only an operator can add
    users to it. The token of a machine has the scopes that the machine requests.
    """

    def __init__(
        self, scope: Construct, id: str, *, functions: Functions, admin_email: str | None, scopes: Scopes
    ) -> None:
        super().__init__(scope, id)
        self.pool = self._build_pool()
        # A prefix must be unique in its region, so it contains the id of the stack.
        unique = Fn.select(2, Fn.split("/", Aws.STACK_ID))
        self.domain = self.pool.add_domain(
            "Domain", cognito_domain=cognito.CognitoDomainOptions(domain_prefix=f"metering-{unique}")
        )
        self.client = self._add_machine_client()
        self.user_client: cognito.UserPoolClient | None = None
        if admin_email:
            self.user_client = self._add_user_client(admin_email)
            if scopes.read or scopes.write:
                self._add_scopes_at_sign_in(functions)

    def build_token_endpoint(self) -> str:
        """Build the URL that issues tokens to machines. In GovCloud the pool's domain has the FIPS host only."""
        condition = CfnCondition(self, "GovCloud", expression=Fn.condition_equals(Aws.PARTITION, "aws-us-gov"))
        host = Fn.condition_if(condition.logical_id, "auth-fips", "auth").to_string()
        return f"https://{self.domain.domain_name}.{host}.{Aws.REGION}.amazoncognito.com/oauth2/token"

    def build_authorizer(self) -> HttpJwtAuthorizer:
        """Build an authorizer that accepts this pool's tokens for its clients."""
        clients = [client for client in (self.client, self.user_client) if client]
        issuer = f"https://cognito-idp.{Aws.REGION}.{Aws.URL_SUFFIX}/{self.pool.user_pool_id}"
        return build_issuer_authorizer(issuer, [client.user_pool_client_id for client in clients])

    def _build_pool(self) -> cognito.UserPool:
        pool = cognito.UserPool(
            self,
            "Pool",
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(email=True),
            mfa=cognito.Mfa.OPTIONAL,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            password_policy=cognito.PasswordPolicy(
                min_length=12, require_digits=True, require_lowercase=True, require_uppercase=True, require_symbols=True
            ),
            removal_policy=RemovalPolicy.DESTROY,
        )
        acknowledge(
            pool,
            {
                "AwsSolutions-COG2": "MFA is optional; the operator decides whether to require it.",
                "AwsSolutions-COG8": "Threat protection of the Plus plan is for pools with self-service sign-up.",
            },
        )
        return pool

    def _add_machine_client(self) -> cognito.UserPoolClient:
        scopes = [
            cognito.ResourceServerScope(scope_name=name.split("/")[1], scope_description=description)
            for name, description in (
                (READ_SCOPE, "Read meters and usage"),
                (WRITE_SCOPE, "Change meters, report usage"),
            )
        ]
        server = self.pool.add_resource_server("Server", identifier=READ_SCOPE.split("/", maxsplit=1)[0], scopes=scopes)
        return self.pool.add_client(
            "Client",
            generate_secret=True,
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(client_credentials=True),
                scopes=[cognito.OAuthScope.resource_server(server, scope) for scope in scopes],
            ),
            access_token_validity=TOKEN_VALIDITY,
        )

    def _add_user_client(self, admin_email: str) -> cognito.UserPoolClient:
        cognito.CfnUserPoolUser(
            self,
            "Admin",
            user_pool_id=self.pool.user_pool_id,
            username=admin_email,
            desired_delivery_mediums=["EMAIL"],
            user_attributes=[
                cognito.CfnUserPoolUser.AttributeTypeProperty(name="email", value=admin_email),
                cognito.CfnUserPoolUser.AttributeTypeProperty(name="email_verified", value="true"),
            ],
        )
        return self.pool.add_client(
            "UserClient",
            auth_flows=cognito.AuthFlow(user_password=True, user_srp=True),
            disable_o_auth=True,
            access_token_validity=TOKEN_VALIDITY,
            prevent_user_existence_errors=True,
        )

    def _add_scopes_at_sign_in(self, functions: Functions) -> None:
        function = functions.add("SignIn", module="entrypoints.sign_in", seconds=5, environment={})
        self.pool.add_trigger(
            cognito.UserPoolOperation.PRE_TOKEN_GENERATION_CONFIG, function, cognito.LambdaVersion.V2_0
        )
