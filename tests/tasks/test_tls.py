import datetime
import ssl
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from amberflo_workflows.tasks.amberflo import transport
from amberflo_workflows.tasks.amberflo.client import AmberfloClient
from amberflo_workflows.tasks.amberflo.errors import AmberfloUnavailable
from tests.tasks.hostile import answer, hostile

SECRET = "key-that-must-not-travel"
NOW = datetime.datetime.now(datetime.UTC)
Certified = Callable[..., ssl.SSLContext]


def _certificate(key: ec.EllipticCurvePrivateKey, host: str, days: int) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Amberflo, for the tests")])
    hosts = x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    dated = builder.not_valid_before(NOW - datetime.timedelta(days=30)).not_valid_after(
        NOW + datetime.timedelta(days=days)
    )
    signed = dated.add_extension(hosts, critical=False).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certified:
    """A server's certificate, which the client is told to trust, so that it is refused for nothing but its fault."""

    def make(*, host: str = "127.0.0.1", days: int = 30, trusted: bool = True) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        pem, kept = tmp_path / "certificate.pem", tmp_path / "key.pem"
        pem.write_bytes(_certificate(key, host, days))
        plain = serialization.NoEncryption()
        kept.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
        if trusted:
            monkeypatch.setattr(transport._session(), "verify", str(pem))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, kept)
        return context

    return make


def test_a_certificate_that_is_trusted_is_taken(certified: Certified) -> None:
    with hostile(certified()) as amberflo:
        amberflo.script = [answer(b"[]")]
        assert AmberfloClient(SECRET, amberflo.url, amberflo.url, 6).call("GET", "/meters") == []


@pytest.mark.parametrize(
    "fault", [{"trusted": False}, {"host": "127.0.0.2"}, {"days": -1}], ids=["self-signed", "of another", "expired"]
)
def test_a_certificate_that_is_wrong_is_unavailability_and_the_key_stays_here(
    certified: Certified, fault: dict[str, object]
) -> None:
    with hostile(certified(**fault)) as amberflo:
        amberflo.script = [answer(b"[]")]
        with pytest.raises(AmberfloUnavailable, match="SSLError") as raised:
            AmberfloClient(SECRET, amberflo.url, amberflo.url, 6).call("GET", "/meters")
        assert (amberflo.connections, amberflo.requests) == (1, [])
    assert SECRET not in str(raised.value)


def test_a_handshake_that_no_one_answers_is_given_up() -> None:
    with hostile() as amberflo:
        url = amberflo.url.replace("http:", "https:")
        with pytest.raises(AmberfloUnavailable, match=r"SSLError|ConnectTimeout|ReadTimeout"):
            AmberfloClient(SECRET, url, url, 1.4).call("GET", "/meters")
        assert (amberflo.connections, amberflo.requests) == (1, [])
