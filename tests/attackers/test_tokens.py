"""Forged tokens at the emulator's JWT authorizer, which AWS's authorizer rejects as well.

``tests/entrypoints`` tests more: no token, garbage and a broken signature on every route (``test_api.py``), an expired
token and one with the wrong scope (``test_access.py``). The emulator differs from AWS in two ways: it verifies every
signature as RS256, where AWS uses the token's ``alg`` if that is an RSA algorithm, and it accepts a token without an
expiry, which AWS rejects.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from amberflo_workflows.local.system import System
from tests.attackers.forging import Token, load_pool_key, public_jwk
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api

pytestmark = pytest.mark.emulator


class Forger(NamedTuple):
    """A valid token, the user pool's key and a key that the pool does not know."""

    token: Token
    pool_key: rsa.RSAPrivateKey
    own_key: rsa.RSAPrivateKey


@pytest.fixture
def forger(system: System, system_folder: Path) -> Forger:
    token = Token.parse(system.access_token)
    own_key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    return Forger(token, load_pool_key(system_folder, system.outputs["UserPoolId"]), own_key)


# A token with the pool's signature is wrong in one claim only.
FORGERIES: dict[str, tuple[Callable[[Forger], str], int]] = {
    "other-issuer": (lambda f: f.token.with_claims(iss=f"{f.token.claims['iss']}x").signed(f.pool_key), 401),
    "no-issuer": (lambda f: f.token.with_claims(iss=None).signed(f.pool_key), 401),
    "other-client": (lambda f: f.token.with_claims(client_id="another").signed(f.pool_key), 401),
    "other-audience": (lambda f: f.token.with_claims(aud="another").signed(f.pool_key), 401),
    "no-audience": (lambda f: f.token.with_claims(client_id=None).signed(f.pool_key), 401),
    "other-scope": (lambda f: f.token.with_claims(scope="metering/other").signed(f.pool_key), 403),
    "no-scope": (lambda f: f.token.with_claims(scope=None).signed(f.pool_key), 403),
    "not-valid-yet": (lambda f: f.token.with_claims(nbf=int(time.time()) + 600).signed(f.pool_key), 401),
    "issued-in-the-future": (lambda f: f.token.with_claims(iat=int(time.time()) + 600).signed(f.pool_key), 401),
    "alg-none": (lambda f: f.token.with_header(alg="none").unsigned(), 401),
    "alg-NONE": (lambda f: f.token.with_header(alg="NONE").unsigned(), 401),
    "hmac": (lambda f: f.token.with_header(alg="HS256").signed_with_public_key(f.pool_key), 401),
    "own-key": (lambda f: f.token.signed(f.own_key), 401),
    "own-key-in-header": (
        lambda f: f.token.with_header(jwk={**public_jwk(f.own_key), "kid": f.token.header["kid"]}).signed(f.own_key),
        401,
    ),
    "own-key-by-url": (lambda f: f.token.with_header(jku="http://127.0.0.1:9/jwks").signed(f.own_key), 401),
    "unknown-key-id": (lambda f: f.token.with_header(kid="../../dev/null").signed(f.pool_key), 401),
    "no-key-id": (lambda f: f.token.with_header(kid=None).signed(f.pool_key), 401),
}  # fmt: skip


@pytest.mark.parametrize(("forge", "status"), FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_token_is_rejected_before_any_call(
    system: System, forger: Forger, forge: Callable[[Forger], str], status: int
) -> None:
    response = Api(system, forge(forger)).call("GET", "meters")
    assert response.status == status
    assert "x-execution-arn" not in response.headers
    assert sandbox_of(system).requests()["total"] == 0


def test_the_unchanged_token_is_accepted(system: System, forger: Forger) -> None:
    assert Api(system, forger.token.signed(forger.pool_key)).call("GET", "meters").status == 200


def test_rejects_an_identity_token_where_scopes_are_required(system: System, forger: Forger) -> None:
    # The pool signed it and the client is its audience, so AWS would accept it if no scopes were required.
    claims = forger.token.claims
    identity = forger.token.with_claims(aud=claims["client_id"], client_id=None, scope=None, token_use="id")
    assert Api(system, identity.signed(forger.pool_key)).call("GET", "meters").status == 403


def test_rejects_a_token_in_the_query_string(system: System) -> None:
    token = system.access_token
    for query in (f"access_token={token}", f"Authorization={token}", f"authorization=Bearer%20{token}"):
        assert Api(system).call("GET", f"meters?{query}", Authorization="").status == 401


def test_the_emulator_accepts_a_token_without_an_expiry(system: System, forger: Forger) -> None:
    # AWS rejects it. If this test fails, remove the difference from docs/threats.md.
    token = forger.token.with_claims(exp=None).signed(forger.pool_key)
    assert Api(system, token).call("GET", "meters").status == 200
