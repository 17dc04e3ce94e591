"""Bearer tokens of the local system's own pool, and tokens to try what is refused."""

import base64
import json
import time
from pathlib import Path
from typing import Any, Final

from amberflo_workflows.infra.settings import READ_SCOPE, WRITE_SCOPE
from amberflo_workflows.local.emulator import Emulator
from amberflo_workflows.operate.api_client import request_token
from amberflo_workflows.operate.errors import OperatorError
from amberflo_workflows.operate.loopback import LOOPBACK_SESSION

SCOPES: Final = {"read": (READ_SCOPE,), "write": (WRITE_SCOPE,), "both": (READ_SCOPE, WRITE_SCOPE)}


def fetch_access_token(emulator: Emulator, outputs: dict[str, str], scopes: tuple[str, ...] = SCOPES["both"]) -> str:
    """Client credentials for a token, as on AWS; only the host differs. Raises :class:`OperatorError`."""
    pool, client_id = outputs["UserPoolId"], outputs["UserPoolClientId"]
    # By hand: importing boto3 for one question would double what `metering env` takes.
    described = LOOPBACK_SESSION.post(
        emulator.url,
        json={"UserPoolId": pool, "ClientId": client_id},
        headers={"X-Amz-Target": "AWSCognitoIdentityProviderService.DescribeUserPoolClient"},
        timeout=30,
    ).json()
    secret = described["UserPoolClient"]["ClientSecret"]
    return request_token(f"{emulator.url}/oauth2/token", client_id, secret, scopes=scopes, http=LOOPBACK_SESSION)


def build_expired_token(token: str, emulator_folder: Path, pool: str) -> str:
    """The token as it will be when it has run out: signed anew with the key that the emulator keeps for the pool."""
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - slow, and for this alone
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - as above

    header, claims, _ = token.split(".")
    then = int(time.time()) - 3600
    signed = f"{header}.{_encode_claims(_decode_claims(claims) | {'iat': then - 3600, 'exp': then})}"
    kept = emulator_folder / "state" / "cognito-pool-keys" / f"{pool}-access.pem"
    key = load_pem_private_key(kept.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise OperatorError(f"The key in {kept} is not one that the emulator makes; start anew.")
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _decode_claims(part: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def _encode_claims(claims: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
