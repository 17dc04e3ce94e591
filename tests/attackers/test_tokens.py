"""Tokens that are nearly good, at the emulator's JWT authorizer: what AWS's refuses as well.

``tests/entrypoints`` has more: no token, garbage and a broken signature on every route (``test_api.py``), a token that
has run out and one for the wrong scope (``test_access.py``). The emulator verifies each signature as RS256, whatever
the token says; AWS takes the token's ``alg`` if it is one of the RSA kind. It takes a token that never ends, too,
which AWS does not.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from amberflo_workflows.local.system import System
from tests.attackers.forging import Token, kept_key, public_jwk
from tests.conftest import sandbox_of
from tests.entrypoints.calls import Api

pytestmark = pytest.mark.emulator


class Forger(NamedTuple):
    good: Token
    pools: rsa.RSAPrivateKey
    own: rsa.RSAPrivateKey


@pytest.fixture
def forger(system: System, system_folder: Path) -> Forger:
    good = Token.of(system.access_token)
    own = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    return Forger(good, kept_key(system_folder, system.outputs["UserPoolId"]), own)


# Those that bear the pool's own signature are wrong in one claim alone.
FORGED: dict[str, tuple[Callable[[Forger], str], int]] = {
    "another issuer": (lambda f: f.good.with_claims(iss=f"{f.good.claims['iss']}x").signed(f.pools), 401),
    "no issuer": (lambda f: f.good.with_claims(iss=None).signed(f.pools), 401),
    "another client": (lambda f: f.good.with_claims(client_id="another").signed(f.pools), 401),
    "another audience": (lambda f: f.good.with_claims(aud="another").signed(f.pools), 401),
    "no audience": (lambda f: f.good.with_claims(client_id=None).signed(f.pools), 401),
    "another scope": (lambda f: f.good.with_claims(scope="metering/other").signed(f.pools), 403),
    "no scope": (lambda f: f.good.with_claims(scope=None).signed(f.pools), 403),
    "not yet": (lambda f: f.good.with_claims(nbf=int(time.time()) + 600).signed(f.pools), 401),
    "issued later": (lambda f: f.good.with_claims(iat=int(time.time()) + 600).signed(f.pools), 401),
    "no signature": (lambda f: f.good.with_header(alg="none").unsigned(), 401),
    "no signature, in capitals": (lambda f: f.good.with_header(alg="NONE").unsigned(), 401),
    "an HMAC": (lambda f: f.good.with_header(alg="HS256").signed_with_the_public_key(f.pools), 401),
    "a key of its own": (lambda f: f.good.signed(f.own), 401),
    "a key of its own in the header": (
        lambda f: f.good.with_header(jwk={**public_jwk(f.own), "kid": f.good.header["kid"]}).signed(f.own),
        401,
    ),
    "a key of its own elsewhere": (lambda f: f.good.with_header(jku="http://127.0.0.1:9/jwks").signed(f.own), 401),
    "a key that nobody knows": (lambda f: f.good.with_header(kid="../../dev/null").signed(f.pools), 401),
    "no key named": (lambda f: f.good.with_header(kid=None).signed(f.pools), 401),
}  # fmt: skip


@pytest.mark.parametrize(("forged", "status"), FORGED.values(), ids=FORGED.keys())
def test_a_forged_token_is_rejected_before_any_call(
    system: System, forger: Forger, forged: Callable[[Forger], str], status: int
) -> None:
    answer = Api(system, forged(forger)).call("GET", "meters")
    assert answer.status == status
    assert "x-execution-arn" not in answer.headers
    assert sandbox_of(system).requests()["total"] == 0


def test_the_unchanged_token_is_accepted(system: System, forger: Forger) -> None:
    assert Api(system, forger.good.signed(forger.pools)).call("GET", "meters").status == 200


def test_rejects_an_identity_token_where_scopes_are_required(system: System, forger: Forger) -> None:
    # It is signed by the pool and made out to the client, so without scopes AWS would let it in.
    claims = forger.good.claims
    identity = forger.good.with_claims(aud=claims["client_id"], client_id=None, scope=None, token_use="id")
    assert Api(system, identity.signed(forger.pools)).call("GET", "meters").status == 403


def test_rejects_a_token_in_the_query_string(system: System) -> None:
    token = system.access_token
    for query in (f"access_token={token}", f"Authorization={token}", f"authorization=Bearer%20{token}"):
        assert Api(system).call("GET", f"meters?{query}", Authorization="").status == 401


def test_the_emulator_accepts_a_token_without_an_expiry(system: System, forger: Forger) -> None:
    # AWS refuses it. Were this to fail, docs/threats.md would have to say one thing less.
    assert Api(system, forger.good.with_claims(exp=None).signed(forger.pools)).call("GET", "meters").status == 200
