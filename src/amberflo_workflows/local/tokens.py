"""Bearer tokens of the local system's user pool."""

from typing import Final

from amberflo_workflows.infra.settings import READ_SCOPE, WRITE_SCOPE
from amberflo_workflows.local.emulator import Emulator
from amberflo_workflows.operate.api_client import request_token
from amberflo_workflows.operate.loopback import loopback_session

SCOPES: Final = {"read": (READ_SCOPE,), "write": (WRITE_SCOPE,), "both": (READ_SCOPE, WRITE_SCOPE)}


def fetch_access_token(emulator: Emulator, outputs: dict[str, str], scopes: tuple[str, ...] = SCOPES["both"]) -> str:
    """Get a token with the client credentials grant, as on AWS. Raises :class:`OperatorError`."""
    pool, client_id = outputs["UserPoolId"], outputs["UserPoolClientId"]
    # A plain HTTP call, because importing boto3 would double the duration of `metering env`.
    description = (
        loopback_session()
        .post(
            emulator.url,
            json={"UserPoolId": pool, "ClientId": client_id},
            headers={"X-Amz-Target": "AWSCognitoIdentityProviderService.DescribeUserPoolClient"},
            timeout=30,
        )
        .json()
    )
    secret = description["UserPoolClient"]["ClientSecret"]
    return request_token(f"{emulator.url}/oauth2/token", client_id, secret, scopes=scopes, http=loopback_session())
