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
from tests.tasks.hostile import build_response, run_hostile_server

KEY = "key-that-must-not-leak"
NOW = datetime.datetime.now(datetime.UTC)
MakeContext = Callable[..., ssl.SSLContext]


def _build_certificate(key: ec.EllipticCurvePrivateKey, host: str, days: int) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Amberflo, for the tests")])
    hosts = x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW - datetime.timedelta(days=30)).not_valid_after(
        NOW + datetime.timedelta(days=days)
    )
    certificate = builder.add_extension(hosts, critical=False).sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def make_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeContext:
    """Make a TLS context whose certificate the client trusts, so that only the tested fault can be the reason."""

    def make(*, host: str = "127.0.0.1", days: int = 30, trusted: bool = True) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate_file, key_file = tmp_path / "certificate.pem", tmp_path / "key.pem"
        certificate_file.write_bytes(_build_certificate(key, host, days))
        plain = serialization.NoEncryption()
        key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
        if trusted:
            monkeypatch.setattr(transport._session(), "verify", str(certificate_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate_file, key_file)
        return context

    return make


def test_a_trusted_certificate_is_accepted(make_context: MakeContext) -> None:
    with run_hostile_server(make_context()) as amberflo:
        amberflo.script = [build_response(b"[]")]
        assert AmberfloClient(KEY, amberflo.url, amberflo.url, 6).call("GET", "/meters") == []


@pytest.mark.parametrize(
    "fault", [{"trusted": False}, {"host": "127.0.0.2"}, {"days": -1}], ids=["untrusted", "other host", "expired"]
)
def test_an_invalid_certificate_is_unavailability_and_the_key_is_not_sent(
    make_context: MakeContext, fault: dict[str, object]
) -> None:
    with run_hostile_server(make_context(**fault)) as amberflo:
        amberflo.script = [build_response(b"[]")]
        with pytest.raises(AmberfloUnavailable, match="SSLError") as error_info:
            AmberfloClient(KEY, amberflo.url, amberflo.url, 6).call("GET", "/meters")
        assert (amberflo.connections, amberflo.requests) == (1, [])
    assert KEY not in str(error_info.value)


def test_a_handshake_without_a_response_times_out() -> None:
    with run_hostile_server() as amberflo:
        url = amberflo.url.replace("http:", "https:")
        with pytest.raises(AmberfloUnavailable, match=r"SSLError|ConnectTimeout|ReadTimeout"):
            AmberfloClient(KEY, url, url, 1.4).call("GET", "/meters")
        assert (amberflo.connections, amberflo.requests) == (1, [])
